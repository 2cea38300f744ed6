package metric

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
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
		packer := gzip.NewWriter(w)           // not kept until the next scrape: it has 0.8 MB
		defer func() { _ = packer.Close() }() // fails where nobody reads any more
		out = packer
	}
	write(out, format, families)
}

// write ends where nobody reads any more. A family that cannot be encoded hides no other.
func write(out io.Writer, format expfmt.Format, families []served) {
	var text bytes.Buffer
	encoder, room := expfmt.NewEncoder(&text, format), &room{}
	for i := range families {
		f, kind := &families[i], format.FormatType()
		if kind == expfmt.TypeProtoDelim && f.desc != nil {
			if !writeMessage(out, &text, f.pieces(room, pieceSize)) {
				return
			}
			continue
		}
		most, first := math.MaxInt, true
		if kind == expfmt.TypeTextPlain || kind == expfmt.TypeOpenMetrics {
			most = pieceSize
		}
		for piece := range f.pieces(room, most) {
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

// writeMessage writes the pieces of a family as one message after its length: of messages that follow each other protobuf
// makes one. Its text is what a large family needs then, a tenth of its structs.
func writeMessage(out io.Writer, text *bytes.Buffer, pieces iter.Seq[*dto.MetricFamily]) bool {
	text.Reset()
	for piece := range pieces {
		if text.Len() > 0 {
			piece.Name, piece.Help, piece.Type = nil, nil, nil
		}
		text.Grow(proto.Size(piece))
		message, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(text.AvailableBuffer(), piece)
		if err != nil {
			return true
		}
		text.Write(message)
	}
	_, errLength := out.Write(binary.AppendUvarint(nil, uint64(text.Len())))
	_, errText := out.Write(text.Bytes())
	return errLength == nil && errText == nil
}

// withoutHead leaves out the lines about a family, which come before its first piece only.
func withoutHead(text []byte, first bool) []byte {
	for !first && bytes.HasPrefix(text, []byte("#")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

// takesGzip tells whether gzip is preferred to no compression (RFC 9110 section 12.5.3).
func takesGzip(h http.Header) bool {
	packed, plain := 0.0, 0.0
	for _, field := range h.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(field, ",") {
			coding, weight, weighted := strings.Cut(strings.ReplaceAll(one, " ", ""), ";q=")
			q := 1.0
			if weighted {
				q, _ = strconv.ParseFloat(weight, 64)
			}
			switch coding {
			case "gzip":
				packed = q
			case "identity":
				plain = q
			}
		}
	}
	return packed > plain
}
