package metric

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// pieceSize is how many series of a family are made and written at a time.
const pieceSize = 1000

// ServeHTTP answers a scrape as promhttp does, in text, OpenMetrics or protobuf, compressed with gzip or not, and with
// name[] only the families of these names; but it makes series as it writes them, so that a scrape needs little memory.
// What the registry cannot give hides nothing else.
func (g *Gatherer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	families, err := g.families()
	if len(families) == 0 && err != nil {
		http.Error(w, "An error has occurred while serving metrics:\n\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	if only := r.URL.Query()["name[]"]; only != nil {
		families = slices.DeleteFunc(families, func(f served) bool { return !slices.Contains(only, f.name) })
	}
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	w.Header().Set("Content-Type", string(format))
	var out io.Writer = w
	if takesGzip(r.Header) {
		w.Header().Set("Content-Encoding", "gzip")
		packer := gzip.NewWriter(w)
		defer func() { _ = packer.Close() }() // fails where nobody reads any more
		out = packer
	}
	write(out, format, families)
}

// write ends where nobody reads any more. A family that cannot be encoded hides no other.
func write(out io.Writer, format expfmt.Format, families []served) {
	most := pieceSize
	if format.FormatType() == expfmt.TypeProtoDelim {
		most = math.MaxInt // pieces of a family would be families of one name
	}
	var text bytes.Buffer
	encoder, room := expfmt.NewEncoder(&text, format), &room{}
	for i := range families {
		first := true
		for piece := range families[i].pieces(room, most) {
			text.Reset()
			_ = encoder.Encode(piece)
			if _, err := out.Write(withoutHead(text.Bytes(), first)); err != nil {
				return
			}
			first = false
		}
	}
	text.Reset()
	if c, ends := encoder.(expfmt.Closer); ends {
		_ = c.Close()
	}
	_, _ = out.Write(text.Bytes())
}

// withoutHead leaves out the lines about a family, which come before its first piece only.
func withoutHead(text []byte, first bool) []byte {
	for !first && bytes.HasPrefix(text, []byte("#")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

// takesGzip tells whether gzip is asked for (RFC 9110 section 12.5.3).
func takesGzip(h http.Header) bool {
	for _, field := range h.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(field, ",") {
			coding, weight, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";q=")
			if q, err := strconv.ParseFloat(weight, 64); coding == "gzip" {
				return err != nil || q > 0
			}
		}
	}
	return false
}
