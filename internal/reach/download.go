package reach

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// downloadBuffer is as large as a read may be; the image is never held.
	downloadBuffer = 256 << 10
	// maxImage bounds how much of an image is read; they have some 15 MiB.
	maxImage = 256 << 20
	// stallTimeout is how long fewer than stallBytes may come: others wait for their turn meanwhile.
	stallTimeout = 30 * time.Second
	stallBytes   = 16 << 10
	// progressEvery is how often the log is told how far a download is.
	progressEvery = 10 * time.Second
	// downloadsKept is how many outcomes are remembered for other targets with the same server.
	downloadsKept = 256
)

// downloadBuffers are used again by the downloads that follow each other.
var downloadBuffers = sync.Pool{New: func() any { return new([downloadBuffer]byte) }}

// Downloads reads images as a whole: one at a time for the process, and one that several targets share once.
type Downloads struct {
	guard *Guard
	turn  chan struct{}
	// progress is told every so often how far a download is.
	progress func(*facts.Download)
	every    time.Duration

	mu   sync.Mutex
	held map[string]heldDownload

	// stall is how long fewer than stallBytes may come, and most how much of an image is read.
	stall time.Duration
	most  int64
}

// heldDownload is an outcome, and for whom it was read.
type heldDownload struct {
	facts.Download
	owner string
}

// NewDownloads returns a Downloads whose credentials the guard watches over; progress goes to the log.
func NewDownloads(g *Guard, log *slog.Logger) *Downloads {
	d := &Downloads{guard: g, turn: make(chan struct{}, 1), held: map[string]heldDownload{}, stall: stallTimeout, most: maxImage}
	d.TellProgress(progressEvery, func(d *facts.Download) {
		log.Info("firmware download", "url", d.URL, "bytes", d.Read, "of", d.Size, "for", time.Since(d.At).Round(time.Second))
	})
	return d
}

// TellProgress has another listener told, in the stead of the log, how far a download is.
func (d *Downloads) TellProgress(every time.Duration, listener func(*facts.Download)) {
	d.every, d.progress = every, listener
}

// Turn waits until no other download is under way; done ends the turn. The error is the context's.
func (d *Downloads) Turn(ctx context.Context) (done func(), err error) {
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another download: %w", ctx.Err())
	}
}

// DownloadAccess is how images are read.
type DownloadAccess struct {
	Way Way
	site.Update
	// BytesPerSecond is how fast at most.
	BytesPerSecond int
	// Owner is who reads: what it read itself is never as good as a download, which its own confirmation needs.
	Owner string
	// Fresh is for how long what another target read is as good as a download of our own; zero reads anew.
	Fresh time.Duration
}

// Read reads one image of which the header was seen, with the account where the header took one. The caller
// has the turn.
func (d *Downloads) Read(ctx context.Context, a DownloadAccess, f facts.FirmwareFile) facts.Download {
	header := f.Answer()
	key := fmt.Sprint(a.Way.ConnectTo, f.URL, header.Address, f.LoggedOn != nil)
	if held, ok := d.kept(key, a); ok {
		return held
	}
	out := facts.Download{URL: f.URL, Kind: f.Kind, At: time.Now(), Announced: header.Size}
	out.Size = -1
	if f.LoggedOn != nil {
		out.Announced = -1 // what came of that logon may be an hour old
	}
	if f.LoggedOn == nil {
		d.anonymous(ctx, a, &out, header.Address)
	} else {
		d.loggedOn(ctx, a, &out, f.Host, header.Address)
	}
	out.Took = time.Since(out.At)
	d.keep(key, heldDownload{out, a.Owner})
	return out
}

func (d *Downloads) kept(key string, a DownloadAccess) (facts.Download, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	held, ok := d.held[key]
	return held.Download, ok && held.Complete() && held.owner != a.Owner && time.Since(held.At) < a.Fresh
}

// keep remembers an outcome, in the stead of the oldest where there are many.
func (d *Downloads) keep(key string, out heldDownload) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[key] = out
	for len(d.held) > downloadsKept {
		oldest := key
		for k, held := range d.held {
			if held.At.Before(d.held[oldest].At) {
				oldest = k
			}
		}
		delete(d.held, oldest)
	}
}

func (d *Downloads) anonymous(ctx context.Context, a DownloadAccess, out *facts.Download, address netip.AddrPort) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := webRequest(ctx, http.MethodGet, out.URL, nil)
	if err != nil {
		out.WebAnswer = badRequest(address, err)
		return
	}
	transport := a.Way.transport(ctx, address, observingTLS())
	defer transport.CloseIdleConnections()
	out.WebAnswer = d.stream(ctx, cancel, a, transport, request, address, out)
}

func (d *Downloads) loggedOn(ctx context.Context, a DownloadAccess, out *facts.Download, host string, address netip.AddrPort) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := d.guard.Use(ctx, a.Credential, host, func(secret Secret) error {
		secure, err := verifiedBy(host, a.RootFiles)
		if err != nil {
			return err
		}
		request, err := webRequest(ctx, http.MethodGet, out.URL, nil)
		if err != nil {
			return problem(facts.BindFailed, "%s: %s", out.URL, printable(err.Error()))
		}
		transport := a.Way.transport(ctx, address, secure)
		defer transport.CloseIdleConnections()
		var logon facts.Logon
		return ntlm(transport, request, a.Credential.Username, secret, address, &logon, func(by http.RoundTripper) facts.WebAnswer {
			out.WebAnswer = d.stream(ctx, cancel, a, by, request, address, out)
			return out.WebAnswer
		})
	})
	var p *Problem
	if errors.As(err, &p) {
		out.Problem, out.Detail, out.Status = facts.WebNoLogon, p.Detail, 0
	}
}

// stream reads the image and throws it away. A server from which nothing comes any more is given up. Where the
// time ends and most of it went by waiting for our own rate, the server is not to blame.
func (d *Downloads) stream(ctx context.Context, giveUp func(), a DownloadAccess, by http.RoundTripper,
	request *http.Request, address netip.AddrPort, out *facts.Download,
) facts.WebAnswer {
	stalled := time.AfterFunc(d.stall, giveUp)
	defer stalled.Stop()
	var waited time.Duration
	foreseen, came := false, 0
	answer := exchange(by, request, address, func(response *http.Response, _ *facts.WebAnswer) error {
		out.Method = http.MethodGet
		describe(response, &out.FileAnswer)
		if response.StatusCode != http.StatusOK {
			return nil
		}
		limit := rate.NewLimiter(rate.Limit(a.BytesPerSecond), downloadBuffer)
		limit.AllowN(time.Now(), downloadBuffer) // no bytes are saved up to begin with
		return d.discard(response.Body, out, func(n int) error {
			if came += n; came >= stallBytes {
				came = 0
				stalled.Stop() // the pauses that the rate asks for are ours
				defer stalled.Reset(d.stall)
			}
			began := time.Now()
			defer func() { waited += time.Since(began) }()
			if err := limit.WaitN(ctx, n); err != nil {
				foreseen = ctx.Err() == nil // its pause would be longer than the time that is left
				return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
			}
			return nil
		})
	})
	if answer.Problem == facts.WebSilent && (foreseen || waited > answer.Took/2) {
		answer.Problem, answer.Detail = facts.WebOwnLimit, fmt.Sprintf("no time is left at %d bytes per second", a.BytesPerSecond)
	}
	return answer
}

// discard reads to the end, sums up what it reads and tells pace of each piece.
func (d *Downloads) discard(body io.Reader, out *facts.Download, pace func(n int) error) error {
	sum := sha256.New()
	held := downloadBuffers.Get().(*[downloadBuffer]byte)
	defer downloadBuffers.Put(held)
	buffer := held[:]
	told := time.Now()
	for {
		n, err := body.Read(buffer)
		sum.Write(buffer[:n])
		out.Read += int64(n)
		if time.Since(told) >= d.every {
			told = time.Now()
			d.progress(out)
		}
		ended := errors.Is(err, io.EOF)
		switch {
		case err != nil && !ended:
			return err
		case out.Read > d.most:
			return fmt.Errorf("more than %d bytes: no image is that large", d.most)
		}
		if err := pace(n); err != nil {
			return err
		}
		if ended {
			out.SHA256 = hex.EncodeToString(sum.Sum(nil))
			return nil
		}
	}
}
