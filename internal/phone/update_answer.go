package phone

import (
	"errors"
	"fmt"
	"strconv"
	"time"
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

// ForBuild tells whether the update is for a build, as far as its base URLs tell: an answer to somebody who does not
// say what phone it is may list updates of others.
func (f UpdateFile) ForBuild(b Build) bool {
	return b.offeredTo(f.BaseURL) && b.offeredTo(f.ExternalBaseURL)
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

	maxUpdateFiles = 64
)

// ParseUpdateResponse reads an answer leniently, since the names of its wrapping elements are unknown: the
// case of names, namespaces and the order do not matter, and values may be elements or attributes. It takes
// no DOCTYPE and no entities but XML's own five, and nothing that is large or deep.
func ParseUpdateResponse(content []byte) (*UpdateResponse, error) {
	if len(content) > MaxUpdateAnswer {
		return nil, fmt.Errorf("more than %d KiB", MaxUpdateAnswer>>10)
	}
	top, err := elements(content)
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
