package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/sys/windows/svc/eventlog"
)

const (
	// eventID is any that EventCreate.exe, whose texts the source uses, has one for: 1 to 1000.
	eventID = 1
	// mostEventText is below the 31839 letters that Windows takes.
	mostEventText = 30000
)

// eventHandler writes log lines to the event log, each as its severity.
type eventHandler struct {
	slog.Handler // writes to line
	mu           *sync.Mutex
	line         *bytes.Buffer
	events       *eventlog.Log
}

func newEventLogger(events *eventlog.Log, level, format string) *slog.Logger {
	line := new(bytes.Buffer)
	return slog.New(eventHandler{newLogger(line, level, format).Handler(), new(sync.Mutex), line, events})
}

// Handle implements slog.Handler.
func (h eventHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	text := strings.ToValidUTF8(string(h.line.Bytes()[:min(h.line.Len(), mostEventText)]), "")
	switch {
	case r.Level >= slog.LevelError:
		return h.events.Error(eventID, text)
	case r.Level >= slog.LevelWarn:
		return h.events.Warning(eventID, text)
	default:
		return h.events.Info(eventID, text)
	}
}

// WithAttrs implements slog.Handler.
func (h eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h eventHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
