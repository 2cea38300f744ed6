package phone

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// UpdateResponse is the answer of ucdevice.upx (CONTRACT section 1.5).
type UpdateResponse struct {
	// NumOfFiles as the server says; -1 when it does not.
	NumOfFiles     int
	ServerVersion  string
	ServiceVersion string
	// CurrentTime is the server's clock, as if it were UTC; zero when it does not tell.
	CurrentTime time.Time
	Files       []UpdateFile
}

// UpdateFile is one update that is offered.
type UpdateFile struct {
	// Image, Signature and Description are the names of files below the base URLs.
	Image, Signature, Description string
	// BaseURL is for phones inside, ExternalBaseURL for those outside. Blank ones were never filled in
	// with WMI (guide step 25).
	BaseURL, ExternalBaseURL string
	// BaseURLTold and ExternalBaseURLTold tell whether the answer has such an element at all.
	BaseURLTold, ExternalBaseURLTold bool
}

// Version is the one that is offered, read out of either base URL; empty where neither tells.
func (f UpdateFile) Version() string {
	if v := OfferedVersion(f.BaseURL); v != "" {
		return v
	}
	return OfferedVersion(f.ExternalBaseURL)
}

// Names lists the names of the files, as the guide has them where the answer gives none.
func (f UpdateFile) Names() []string {
	var out []string
	for _, n := range [][2]string{{f.Image, ImageFile}, {f.Signature, SignatureFile}, {f.Description, DescriptionFile}} {
		if n[0] != "" {
			out = append(out, n[0])
		} else {
			out = append(out, n[1])
		}
	}
	return out
}

const (
	// MaxUpdateAnswer bounds how many bytes of an answer are read.
	MaxUpdateAnswer = 256 << 10

	maxUpdateDepth    = 16
	maxUpdateElements = 4096
	maxUpdateFiles    = 64
	maxUpdateText     = 2048
)

// ParseUpdateResponse reads an answer leniently, since the names of its wrapping elements are unknown: the
// case of names, namespaces and the order do not matter, and values may be elements or attributes. It takes
// no DOCTYPE and no entities but XML's own five, and nothing that is large or deep.
func ParseUpdateResponse(content []byte) (*UpdateResponse, error) {
	if len(content) > MaxUpdateAnswer {
		return nil, fmt.Errorf("more than %d KiB", MaxUpdateAnswer>>10)
	}
	text, err := toUTF8(content)
	if err != nil {
		return nil, err
	}
	top, err := updateTree(text)
	if err != nil {
		return nil, err
	}
	out := &UpdateResponse{NumOfFiles: -1}
	known := top.tell(out)
	files := top.files()
	if len(files) > maxUpdateFiles {
		return nil, fmt.Errorf("more than %d files", maxUpdateFiles)
	}
	for _, f := range files {
		out.Files = append(out.Files, f.file())
	}
	if !known && files == nil {
		return nil, errors.New("XML, but none of NumOfFiles, ServerVersion, ServiceVersion and FileName is in it")
	}
	return out, nil
}

// toUTF8 decodes UTF-16, which IIS may send, and Latin-1 where the bytes are no UTF-8.
func toUTF8(content []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}), bytes.HasPrefix(content, []byte{'<', 0}):
		order = binary.LittleEndian
	case bytes.HasPrefix(content, []byte{0xfe, 0xff}), bytes.HasPrefix(content, []byte{0, '<'}):
		order = binary.BigEndian
	case utf8.Valid(content):
		return bytes.TrimPrefix(content, []byte("\ufeff")), nil
	default:
		var out []byte
		for _, b := range content {
			out = utf8.AppendRune(out, rune(b))
		}
		return out, nil
	}
	if len(content)%2 != 0 {
		return nil, errors.New("no XML: half a character of UTF-16")
	}
	units := make([]uint16, len(content)/2)
	for i := range units {
		units[i] = order.Uint16(content[2*i:])
	}
	return []byte(strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")), nil
}

// element is one of an answer, or one of its attributes.
type element struct {
	name     string
	text     []byte
	elements []*element
}

// updateTree reads an answer into the elements that are in it.
func updateTree(text []byte) (*element, error) {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	top := &element{}
	open := []*element{top}
	for count := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return top, nil
		}
		if err != nil {
			return nil, fmt.Errorf("no XML: %w", err)
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.Directive:
			return nil, errors.New("a DOCTYPE, which no answer of the service has")
		case xml.StartElement:
			e := elementOf(t)
			count += 1 + len(e.elements)
			if err := allowed(e, len(open), count); err != nil {
				return nil, err
			}
			last.elements, open = append(last.elements, e), append(open, e)
		case xml.CharData:
			if last.text = append(last.text, t...); last != top && len(last.text) > maxUpdateText {
				return nil, fmt.Errorf("more than %d bytes in one element", maxUpdateText)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func elementOf(t xml.StartElement) *element {
	e := &element{name: strings.ToLower(t.Name.Local)}
	for _, a := range t.Attr {
		e.elements = append(e.elements, &element{name: strings.ToLower(a.Name.Local), text: []byte(a.Value)})
	}
	return e
}

func allowed(e *element, depth, count int) error {
	switch {
	case e.name == "html":
		return errors.New("an HTML page")
	case depth > maxUpdateDepth:
		return fmt.Errorf("elements nested more than %d deep", maxUpdateDepth)
	case count > maxUpdateElements:
		return fmt.Errorf("more than %d elements", maxUpdateElements)
	}
	for _, a := range e.elements {
		if len(a.text) > maxUpdateText {
			return fmt.Errorf("more than %d bytes in one value", maxUpdateText)
		}
	}
	return nil
}

func (e *element) value() string { return strings.TrimSpace(string(e.text)) }

// tell writes what an element and those in it say of the server, and returns whether they do.
func (e *element) tell(out *UpdateResponse) (known bool) {
	switch e.name {
	case "numoffiles":
		if n, err := strconv.ParseUint(e.value(), 10, 16); err == nil {
			out.NumOfFiles, known = int(n), true
		}
	case "serverversion":
		out.ServerVersion, known = e.value(), true
	case "serviceversion":
		out.ServiceVersion, known = e.value(), true
	case "currenttime":
		out.CurrentTime = currentTime(e.value())
	}
	for _, inner := range e.elements {
		known = inner.tell(out) || known
	}
	return known
}

func currentTime(text string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// The names of a file's values.
const (
	imageName       = "filename"
	signatureName   = "signaturefilename"
	descriptionName = "descriptfile"
	baseName        = "baseurl"
	externalName    = "externalbaseurl"
)

// fileValues are the values of one file, by their names.
type fileValues map[string]string

func (v fileValues) file() UpdateFile {
	f := UpdateFile{Image: v[imageName], Signature: v[signatureName], Description: v[descriptionName]}
	f.BaseURL, f.BaseURLTold = v[baseName]
	f.ExternalBaseURL, f.ExternalBaseURLTold = v[externalName]
	return f
}

// values lists the elements in and below this one that are values of files, in their order.
func (e *element) values() []*element {
	var out []*element
	switch e.name {
	case imageName, signatureName, descriptionName, baseName, externalName:
		out = append(out, e)
	}
	for _, inner := range e.elements {
		out = append(out, inner.values()...)
	}
	return out
}

func images(values []*element) int {
	n := 0
	for _, v := range values {
		if v.name == imageName {
			n++
		}
	}
	return n
}

// files parts the values in an element into files. An element in which one FileName is holds one file, however
// deep its values are; where several stand side by side, a name that comes again begins the next file. What
// stands beside the elements of several files is said of each of them.
func (e *element) files() []fileValues {
	values := e.values()
	if images(values) <= 1 {
		return inTurn(values)
	}
	var out []fileValues
	var beside []*element
	for _, inner := range e.elements {
		if held := inner.values(); images(held) == 0 || inner.name == imageName {
			beside = append(beside, held...)
		} else {
			out = append(out, inner.files()...)
		}
	}
	if images(beside) > 0 {
		return append(out, inTurn(beside)...)
	}
	for _, f := range out {
		for _, v := range beside {
			if _, own := f[v.name]; !own {
				f[v.name] = v.value()
			}
		}
	}
	return out
}

func inTurn(values []*element) []fileValues {
	var out []fileValues
	for _, v := range values {
		if len(out) == 0 || hasKey(out[len(out)-1], v.name) {
			out = append(out, fileValues{})
		}
		out[len(out)-1][v.name] = v.value()
	}
	return out
}

func hasKey(f fileValues, name string) bool {
	_, ok := f[name]
	return ok
}
