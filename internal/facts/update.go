package facts

import (
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Update is what the servers that hand out updates answered.
type Update struct {
	// Names is the walk by which the servers were found; nil where the site file names them.
	Names   *Names
	Servers []UpdateServer
	// LeftOut lists the names that lead to more addresses than are asked.
	LeftOut []string
}

// UpdateServer is one server: an address behind a name. A name of several addresses gives several.
type UpdateServer struct {
	Host string
	// Address is not valid where the name has none.
	Address netip.Addr
	// Spare tells that phones do without this name: it need not resolve.
	Spare bool
	// Names holds the question for its address, at each resolver up to the first that answered.
	Names *Names
	// Plain is what port 80 answers, inside only, and Secure what port 443 does, to somebody who does not log
	// on; nil when it was not asked.
	Plain, Secure *UpdateAnswer
	// Phone is what came of the phone's offer of TLS on port 443, which Secure is not bound to; nil where phones do not
	// come there, or nothing answers.
	Phone *Handshake
	// Posts are the answers to a POST for each firmware.
	Posts []UpdateAnswer
	// Logon is what came of our own logon; nil when there was none to make.
	Logon *UpdateLogon
}

// UpdateAnswer is the answer to one request for updates.
type UpdateAnswer struct {
	WebAnswer
	// Firmware for which was asked by POST; empty for a GET.
	Firmware string
	// At is when the answer came.
	At time.Time
	// Response is what a status 200 says; nil where it cannot be read, and Detail tells why.
	Response *phone.UpdateResponse
}

// UpdateLogon is what came of our own logon to the update service.
type UpdateLogon struct {
	Logon
	// Answers to the GET and, where they are made, the POSTs.
	Answers []UpdateAnswer
}

// FileKind is why a file is looked for.
type FileKind string

// The kinds of files.
const (
	// OfferedFile: the update service names it.
	OfferedFile FileKind = "offered"
	// InterimFile: the image that the server ships with, needed for the step from 1.0.199.
	InterimFile FileKind = "interim"
	// ConfiguredFile: the site file names it.
	ConfiguredFile FileKind = "configured"
)

// Firmware is what was seen of the files of updates.
type Firmware struct {
	// Update is the answer that names them.
	Update *Update
	Files  []FirmwareFile
	// LeftOut is how many more files there are, beyond the bound; they were not looked for.
	LeftOut int
	// Foreign are base URLs and names of the answer that we do not follow, with the reason.
	Foreign []string
	// Logons are what came of our own logons, one for each address that wanted one.
	Logons []Logon
}

// FirmwareFile is one file on one server: an address behind the host of its URL.
type FirmwareFile struct {
	URL  string
	Host string
	Kind FileKind
	// Names holds the question for the host's address; nil where the URL holds an address.
	Names *Names
	// Anonymous is what the server answers to somebody who does not log on; nil when there was no address.
	Anonymous *FileAnswer
	// LoggedOn is what it answers to our account; nil where that was not used.
	LoggedOn *FileAnswer
	// Largest is the most that was ever read of it, 0 when it was not read.
	Largest int64
}

// Answer is the one that counts: to our account where it was used.
func (f *FirmwareFile) Answer() *FileAnswer {
	if f.LoggedOn != nil {
		return f.LoggedOn
	}
	return f.Anonymous
}

// FileAnswer is what a server says of a file.
type FileAnswer struct {
	WebAnswer
	// Method is HEAD, or GET where a server does not take that.
	Method string
	// Size in bytes, -1 where it is not told.
	Size         int64
	ContentType  string
	LastModified time.Time
	ETag         string
	// At is when the answer came.
	At time.Time
}

// Downloads are the images that were read as a whole.
type Downloads struct {
	Firmware *Firmware
	Images   []Download
	// LeftOut is how many more images there are, beyond the bound; they were not read.
	LeftOut int
}

// Download is one image, read and thrown away.
type Download struct {
	URL  string
	Kind FileKind
	FileAnswer
	// At is when it began.
	At time.Time
	// Read is how many bytes came, SHA256 their sum in hex once it was complete.
	Read   int64
	SHA256 string
	// Announced is what HEAD said just before, -1 where it is not known.
	Announced int64
	// Largest is the most that was ever read of it.
	Largest int64
	// Before is the sum of the image before this one under the same URL; empty when it did not change.
	Before string
	// Changes is how often that has changed.
	Changes int
}

// Complete tells whether the image came as a whole.
func (d *Download) Complete() bool { return d.Problem == "" && d.SHA256 != "" }

// BytesPerSecond is how fast it came.
func (d *Download) BytesPerSecond() float64 {
	if d.Took <= 0 {
		return 0
	}
	return float64(d.Read) / d.Took.Seconds()
}
