package site

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var yamlLine = formOf(`^yaml: line (\d+): (.*)$`)

// maxFileSize is more than 100,000 sites need.
const maxFileSize = 64 << 20

// Load reads a site file. The error tells every fault, each as a *Fault on a line of its own.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Fault{Place: Place{File: path}, Problem: "cannot be opened: " + cause(err), Mend: "name the site file with --config.file"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, &Fault{Place: Place{File: path}, Problem: "cannot be read: " + cause(err), Mend: "name the site file with --config.file"}
	}
	return Parse(path, data)
}

func cause(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// Parse reads the content of a site file; name stands for the file in faults.
func Parse(name string, data []byte) (*Config, error) {
	r := &reader{file: name}
	root := r.document(data)
	if root == nil {
		return nil, r.err()
	}
	cfg := r.config(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// document returns the root of the only YAML document, nil when there is a fault.
func (r *reader) document(data []byte) *yaml.Node {
	whole := func(problem, mend string) *yaml.Node {
		r.faults = append(r.faults, &Fault{Place: Place{File: r.file}, Problem: problem, Mend: mend})
		return nil
	}
	switch {
	case len(data) > maxFileSize:
		return whole("larger than 64 MiB", "split the sites over several files, each with its own exporters")
	case !utf8.Valid(data):
		return whole("not UTF-8", "save the file as UTF-8")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null") {
		return whole("empty", "write at least one site, as in examples/minimal.yml")
	}
	if err != nil {
		r.faults = append(r.faults, syntaxFault(r.file, err))
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		r.fault(&second, "", "a second YAML document begins here", "write one document and no line of ---")
	} else if !errors.Is(err, io.EOF) {
		r.faults = append(r.faults, syntaxFault(r.file, err))
	}
	return doc.Content[0]
}

// syntaxFault takes the line out of the YAML library's message.
func syntaxFault(file string, err error) *Fault {
	f := &Fault{Place: Place{File: file}, Problem: "not YAML: " + err.Error(), Mend: "check indentation, quotes and colons there"}
	if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Problem = "not YAML: " + m[2]
	}
	return f
}

// Place is where something is in a site file.
type Place struct {
	File string
	// Line is 0 for the whole file.
	Line int
	// Key is for example sites[0].dhcp.domain; empty for the whole file.
	Key string
}

// Fault is one thing that is wrong with a site file.
type Fault struct {
	Place
	Problem, Mend string
}

// Error is one line: file:line: key: problem; mend.
func (f *Fault) Error() string {
	where := f.File
	if f.Line > 0 {
		where += ":" + strconv.Itoa(f.Line)
	}
	if f.Key != "" {
		where += ": " + f.Key
	}
	return fmt.Sprintf("%s: %s; %s", where, f.Problem, f.Mend)
}

// Faults takes the error of Load apart, in the order of the file; none where it is of something else.
func Faults(err error) []*Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*Fault
		for _, e := range joined.Unwrap() {
			out = append(out, Faults(e)...)
		}
		return out
	}
	if f := new(Fault); errors.As(err, &f) {
		return []*Fault{f}
	}
	return nil
}
