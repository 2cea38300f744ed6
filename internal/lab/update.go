package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The versions that the update service offers.
const (
	offeredVersion = "1.0.522.101"
	otherVersion   = "1.0.522.103"
)

const (
	// imageSize keeps the lab light: real firmware has 15 MiB.
	imageSize = 64 << 10
	// slowly is how long a slow server waits after each KiB.
	slowly = 60 * time.Millisecond
)

// imageTime is when the image was made.
func imageTime() time.Time { return time.Date(2009, 9, 9, 12, 0, 0, 0, time.UTC) }

type updateMode int

const (
	offers updateMode = iota
	fails
	goesInCircles
	hasEntityBomb
	isPage
)

type updateAccess int

const (
	everybody updateAccess = iota
	wantsNTLM
	forbids
	unpublished
	wantsBasic
)

type imageMode int

const (
	imageWhole imageMode = iota
	imageMissing
	imageShort
	imageCutOff
	imageSlow
	imageEmpty
	imagePage
	imageStalls
	imageReplaced
)

// updateState is what a web server says for the update service. Outside, the paths have other names.
type updateState struct {
	mode   updateMode
	access updateAccess
	// filesUnpublished hides the files, but not the request handler.
	filesUnpublished bool
	version          string // offeredVersion when empty
	blankURLs        bool
	image            imageMode
	// trouble is the request handler's, imageTrouble that of the images.
	trouble, imageTrouble webTrouble
	// content is the answer where it is another than an offer; base is where the files are where it is elsewhere.
	content, base string
	// late is by how much the server's clock is behind.
	late time.Duration
	webTLS
}

// answer answers for the request handler and for the files, whose paths IIS takes in any case.
func (s updateState) answer(w http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.Path)
	handler := path == "/requesthandler/ucdevice.upx" || path == "/requesthandlerext/ucdevice.upx"
	file, inside := strings.CutPrefix(path, "/deviceupdatefiles_int/")
	if !inside {
		file, _ = strings.CutPrefix(path, "/deviceupdatefiles_ext/")
	}
	w.Header().Set("Server", "Microsoft-IIS/6.0")
	switch {
	case s.access == unpublished:
		http.NotFound(w, r)
	case s.access == forbids, s.filesUnpublished && !handler:
		http.Error(w, "forbidden", http.StatusForbidden)
	case s.access == wantsNTLM:
		w.Header().Set("WWW-Authenticate", "NTLM")
		http.Error(w, "not authorised", http.StatusUnauthorized)
	case s.access == wantsBasic:
		basicOnly().answers(w, r)
	case handler:
		s.answerRequest(w, r)
	default:
		s.answerFile(w, r, file)
	}
}

// answerRequest answers for ucdevice.upx, or for the other half of the circle.
func (s updateState) answerRequest(w http.ResponseWriter, r *http.Request) {
	if s.trouble.answers(w, r) {
		return
	}
	contentType, body := "text/xml", cmp.Or(s.content, s.offer())
	switch s.mode {
	case fails:
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	case goesInCircles:
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return
	case hasEntityBomb:
		body = entityBomb()
	case isPage:
		contentType, body = "text/html", "<html><title>Under construction</title></html>\r\n"
	}
	w.Header().Set("Content-Type", contentType)
	// A client that is gone is no concern of the lab's.
	_, _ = io.WriteString(w, body)
}

// folder is where the offered files are, below the store (CONTRACT.md section 1.1).
func (s updateState) folder() string {
	version := offeredVersion
	if s.version != "" {
		version = s.version
	}
	return "UCPhone/Polycom/CX700/A/ENU/" + version + "/CPE"
}

// offer is the answer that offers a version. The guide does not print the element around the file's own.
func (s updateState) offer() string {
	base := "http://pool01.contoso.com/DeviceUpdateFiles_Int/" + s.folder()
	if s.base != "" {
		base = s.base
	}
	external := "https://ocsrp.fabrikam.com/DeviceUpdateFiles_Ext/" + s.folder()
	if s.blankURLs {
		base, external = "", ""
	}
	return `<?xml version="1.0" ?><Response><NumOfFiles>1</NumOfFiles><File><FileName>CPE.nbt</FileName>` +
		`<SignatureFileName>CPE.cat</SignatureFileName><DescriptFile>CPE_desc.xml</DescriptFile>` +
		`<BaseURL>` + base + `</BaseURL><ExternalBaseURL>` + external + `</ExternalBaseURL></File>` +
		`<CurrentTime>` + time.Now().UTC().Add(-s.late).Format("2006-01-02T15:04:05") + `</CurrentTime>` +
		`<ServerVersion>3.5.6907.0</ServerVersion><ServiceVersion>3.5.6907.0</ServiceVersion></Response>`
}

// entityBomb is XML whose last entity stands for three billion bytes.
func entityBomb() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?><!DOCTYPE Response [<!ENTITY e0 \"lol\">")
	for i := range 9 {
		fmt.Fprintf(&b, "<!ENTITY e%d \"%s\">", i+1, strings.Repeat(fmt.Sprintf("&e%d;", i), 10))
	}
	b.WriteString("]><Response><NumOfFiles>&e9;</NumOfFiles></Response>")
	return b.String()
}

// answerFile serves a file of the store, whose path is in lower case.
func (s updateState) answerFile(w http.ResponseWriter, r *http.Request, file string) {
	switch folder := strings.ToLower(s.folder()); file {
	case folder + "/cpe.nbt":
		s.answerImage(w, r)
	case folder + "/cpe.cat":
		serveFile(w, r, "application/vnd.ms-pki.seccat", []byte("a signature catalogue of the lab"))
	case folder + "/cpe_desc.xml":
		serveFile(w, r, "text/xml", []byte(`<?xml version="1.0" ?><Description/>`))
	case "ocinterim/enu/cpe.nbt":
		serveFile(w, r, "application/octet-stream", imageBytes())
	default:
		http.NotFound(w, r)
	}
}

// imageBytes makes the firmware: the same random bytes each time.
func imageBytes() []byte {
	image := make([]byte, imageSize)
	// It never fails.
	_, _ = rand.NewChaCha8([32]byte{}).Read(image)
	return image
}

func serveFile(w http.ResponseWriter, r *http.Request, contentType string, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("ETag", fmt.Sprintf("%q", strconv.Itoa(len(content))))
	http.ServeContent(w, r, "", imageTime(), bytes.NewReader(content))
}

func (s updateState) answerImage(w http.ResponseWriter, r *http.Request) {
	const contentType = "application/octet-stream"
	image := imageBytes()
	whole := r.Method == http.MethodGet && r.Header.Get("Range") == ""
	switch {
	case s.imageTrouble.answers(w, r):
	case s.image == imageMissing:
		http.NotFound(w, r)
	case s.image == imageReplaced:
		image[0] ^= 0xff
		serveFile(w, r, contentType, image)
	case s.image == imageShort:
		serveFile(w, r, contentType, image[:imageSize/3])
	case s.image == imageCutOff && whole:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(imageSize))
		// The server closes the connection because the rest is missing.
		_, _ = w.Write(image[:imageSize/3])
	case s.image == imageEmpty:
		serveFile(w, r, contentType, nil)
	case s.image == imagePage:
		serveFile(w, r, "text/html", []byte("<html><title>Under construction</title></html>\r\n"))
	case s.image == imageStalls && whole:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(imageSize))
		_, _ = w.Write(image[:imageSize/3])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case s.image == imageSlow && whole:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(imageSize))
		trickle(w, r, image)
	default:
		serveFile(w, r, contentType, image)
	}
}

// trickle sends the content slowly, until the client has it or is gone.
func trickle(w http.ResponseWriter, r *http.Request, content []byte) {
	const piece = 1 << 10
	tick := time.NewTicker(slowly)
	defer tick.Stop()
	for len(content) > 0 {
		n := min(piece, len(content))
		_, err := w.Write(content[:n])
		if err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		content = content[n:]
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
