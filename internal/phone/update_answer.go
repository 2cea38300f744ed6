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

	maxUpdateDepth = 16
	maxUpdateFiles = 64
	maxUpdateText  = 2048
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
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	r := &updateReader{out: &UpdateResponse{NumOfFiles: -1}, file: map[int]int{}}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err != nil {
			return nil, fmt.Errorf("no XML: %w", err)
		}
		if err := r.take(token); err != nil {
			return nil, err
		}
	}
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

// updateReader walks through the tokens of an answer. Values with the names of a file belong to the
// element around them, or to the next file where there is no such element and a name comes again.
type updateReader struct {
	out   *UpdateResponse
	open  []element
	count int         // elements begun
	file  map[int]int // the file of an element, by the number of the element
	known bool        // something was there that an answer has
}

type element struct {
	name   string
	number int
	text   []byte
}

func (r *updateReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.Directive:
		return errors.New("a DOCTYPE, which no answer of the service has")
	case xml.StartElement:
		return r.begin(t)
	case xml.CharData:
		if n := len(r.open); n > 0 {
			last := &r.open[n-1]
			if len(last.text)+len(t) > maxUpdateText {
				return fmt.Errorf("more than %d bytes in one element", maxUpdateText)
			}
			last.text = append(last.text, t...)
		}
	case xml.EndElement:
		last := r.open[len(r.open)-1]
		r.open = r.open[:len(r.open)-1]
		around := 0
		if len(r.open) > 0 {
			around = r.open[len(r.open)-1].number
		}
		return r.value(last.name, string(last.text), around)
	}
	return nil
}

func (r *updateReader) begin(t xml.StartElement) error {
	name := strings.ToLower(t.Name.Local)
	switch {
	case name == "html":
		return errors.New("an HTML page")
	case len(r.open) >= maxUpdateDepth:
		return fmt.Errorf("elements nested more than %d deep", maxUpdateDepth)
	}
	r.count++
	r.open = append(r.open, element{name: name, number: r.count})
	for _, a := range t.Attr {
		if err := r.value(strings.ToLower(a.Name.Local), a.Value, r.count); err != nil {
			return err
		}
	}
	return nil
}

func (r *updateReader) value(name, text string, around int) error {
	text = strings.TrimSpace(text)
	if len(text) > maxUpdateText {
		return fmt.Errorf("more than %d bytes in one value", maxUpdateText)
	}
	set := func(into *string) { *into, r.known = text, true }
	switch name {
	case "numoffiles":
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			r.out.NumOfFiles, r.known = int(n), true
		}
	case "serverversion":
		set(&r.out.ServerVersion)
	case "serviceversion":
		set(&r.out.ServiceVersion)
	case "currenttime":
		r.out.CurrentTime = currentTime(text)
	default:
		return r.fileValue(name, text, around)
	}
	return nil
}

func currentTime(text string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func (r *updateReader) fileValue(name, text string, around int) error {
	field := func(f *UpdateFile) *string {
		switch name {
		case "filename":
			return &f.Image
		case "signaturefilename":
			return &f.Signature
		case "descriptfile":
			return &f.Description
		case "baseurl":
			return &f.BaseURL
		case "externalbaseurl":
			return &f.ExternalBaseURL
		default:
			return nil
		}
	}
	if field(&UpdateFile{}) == nil {
		return nil
	}
	i, begun := r.file[around]
	if !begun || *field(&r.out.Files[i]) != "" {
		if len(r.out.Files) >= maxUpdateFiles {
			return fmt.Errorf("more than %d files", maxUpdateFiles)
		}
		i = len(r.out.Files)
		r.out.Files = append(r.out.Files, UpdateFile{})
		r.file[around] = i
	}
	*field(&r.out.Files[i]), r.known = text, true
	return nil
}

func (r *updateReader) finish() (*UpdateResponse, error) {
	if !r.known {
		return nil, errors.New("XML, but none of NumOfFiles, ServerVersion, ServiceVersion and FileName is in it")
	}
	return r.out, nil
}
