package phone

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxXMLDepth    = 16
	maxXMLElements = 4096
	maxXMLText     = 2048
)

// element is one of an answer, or one of its attributes. Its name is in lower case and without its namespace.
type element struct {
	name     string
	text     []byte
	elements []*element
}

// elements reads an answer leniently into the elements that are in it. It takes no DOCTYPE and no entities but
// XML's own five, and nothing that is large or deep.
func elements(content []byte) (*element, error) {
	text, err := toUTF8(content)
	if err != nil {
		return nil, err
	}
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
			if last.text = append(last.text, t...); last != top && len(last.text) > maxXMLText {
				return nil, fmt.Errorf("more than %d bytes in one element", maxXMLText)
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
	case depth > maxXMLDepth:
		return fmt.Errorf("elements nested more than %d deep", maxXMLDepth)
	case count > maxXMLElements:
		return fmt.Errorf("more than %d elements", maxXMLElements)
	}
	for _, a := range e.elements {
		if len(a.text) > maxXMLText {
			return fmt.Errorf("more than %d bytes in one value", maxXMLText)
		}
	}
	return nil
}

func (e *element) value() string { return strings.TrimSpace(string(e.text)) }

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
