//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// browser is a Chromium that is driven over its pipes, by the DevTools protocol.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	last    int
	session string
	// told are the texts of its log, such as what a page's policy kept from loading.
	told []string
}

// newBrowser skips the test where there is no Chromium; with STRICT=1 that is a failure.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	const longest = 5 * time.Minute
	path, err := exec.LookPath("chromium")
	if err != nil {
		const what = "the pages in a browser are left out; missing: program chromium"
		if os.Getenv("STRICT") == "1" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	in, to, err := os.Pipe()
	must(t, err)
	from, out, err := os.Pipe()
	must(t, err)
	must(t, from.SetReadDeadline(time.Now().Add(longest)))
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", // its end is in the cleanup
		"--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4, as --remote-debugging-pipe has it
	must(t, cmd.Start())
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil)
		must(t, cmd.Wait())
		to.Close()
		from.Close()
	})
	var made struct{ TargetID string }
	must(t, json.Unmarshal(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &made))
	var attached struct{ SessionID string }
	must(t, json.Unmarshal(b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}), &attached))
	b.session = attached.SessionID
	b.call("Log.enable", nil)
	return b
}

// call sends a command and waits for its result.
func (b *browser) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.last++
	command := map[string]any{"id": b.last, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	must(b.t, err)
	_, err = b.to.Write(append(text, 0))
	must(b.t, err)
	for {
		text, err := b.from.ReadBytes(0)
		must(b.t, err)
		var message struct {
			ID            int
			Result, Error json.RawMessage
			Method        string
			Params        struct{ Entry struct{ Text string } }
		}
		must(b.t, json.Unmarshal(text[:len(text)-1], &message))
		switch {
		case message.Method == "Log.entryAdded":
			b.told = append(b.told, message.Params.Entry.Text)
		case message.ID == b.last && message.Error != nil:
			b.t.Fatalf("%s: %s", method, message.Error)
		case message.ID == b.last:
			return message.Result
		}
	}
}

// look is what a page measures in a window.
type look struct {
	At, State string
	// Width is that of the window, Needs that of the page.
	Width, Needs int
	// Wide are elements that stick out.
	Wide []string
	// Shape is what stands before the headline, by the style sheet.
	Shape string
}

const looks = `JSON.stringify({
	At: location.href, State: document.readyState, Width: innerWidth, Needs: document.documentElement.scrollWidth,
	Wide: [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.tagName + " " + e.textContent.slice(0, 60)),
	Shape: document.querySelector("h1") && getComputedStyle(document.querySelector("h1"), "::before").content,
})`

// look opens a page in a window of this width.
func (b *browser) look(url string, width int) look {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})
	b.call("Page.navigate", map[string]any{"url": url})
	var l look
	within(b.t, url+" is loaded", slack, func() error {
		var got struct{ Result struct{ Value string } }
		must(b.t, json.Unmarshal(b.call("Runtime.evaluate", map[string]any{"expression": looks, "returnByValue": true}), &got))
		l = look{}
		if err := json.Unmarshal([]byte(got.Result.Value), &l); err != nil {
			return err
		}
		if l.At != url || l.State != "complete" {
			return fmt.Errorf("%s of %s", l.State, l.At)
		}
		return nil
	})
	return l
}

// TestRealBrowser opens the pages of sites good and bad as a desktop and a phone show them: nothing sticks out, the
// style sheet takes effect, and nothing is wanted that the policy forbids.
func TestRealBrowser(t *testing.T) {
	b := newBrowser(t)
	p := started(t, "lab", "--sites=4", "--fault=branch-002:ad_ca_empty", "--fault=branch-003:ntp_off", "--fault=branch-003:wildcard",
		"--fault=branch-003:update_garbage", "--fault=branch-004:pool_hardened")
	p.eventually("two sites are blocked", func() bool { return strings.Contains(p.get("/"), "2 of 4 sites blocked") })
	for _, width := range []int{1280, 800, 360} {
		for path, shape := range map[string]string{
			"/": "■", "/site/headquarters": "●", "/site/branch-002": "?", "/site/branch-003": "■", "/site/branch-004": "■", "/site/none": "?",
		} {
			l := b.look(p.url+path, width)
			if l.Width != width || l.Needs > width || len(l.Wide) > 0 {
				t.Errorf("%s at %d px: needs %d, and these stick out: %q", path, width, l.Needs, l.Wide)
			}
			if !strings.Contains(l.Shape, shape) {
				t.Errorf("%s at %d px: the shape %q before the headline, want %s", path, width, l.Shape, shape)
			}
		}
	}
	const noSite = "404 (Not Found)" // which is asked for
	if told := slices.DeleteFunc(b.told, func(text string) bool { return strings.Contains(text, noSite) }); len(told) > 0 {
		t.Errorf("the browser tells: %q", told)
	}
}
