//go:build linux

package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildAsReleased builds the program as it is released.
func buildAsReleased(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "cx700_exporter")
	command := exec.CommandContext(b.Context(), "make", "build", "BINARY="+binary)
	command.Dir = filepath.Join("..", "..")
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("make build: %v\n%s", err, out)
	}
	return binary
}

// BenchmarkProgram measures the program as a process: how large it is, how soon it listens and has a first result, the same
// with a site file of ten thousand probe jobs, and what it holds when nothing answers. The company that it watches is a
// process of its own, of which nothing counts.
func BenchmarkProgram(b *testing.B) {
	binary := buildAsReleased(b)
	b.Run("binary", func(b *testing.B) {
		info, err := os.Stat(binary)
		must(b, err)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	})
	b.Run("start", func(b *testing.B) {
		_, file := startCompany(b, binary, 1)
		measureStarts(b, binary, file)
	})
	b.Run("start-with-10000-jobs", func(b *testing.B) {
		company, file := startCompany(b, binary, 500, "--sites=500")
		company.stop() // so that nothing answers, and the start is all that is to be done
		measureStarts(b, binary, file)
	})
	b.Run("idle", func(b *testing.B) {
		for b.Loop() {
			exporter, _ := startProgram(b, binary, "serve", "--config.file="+filepath.Join("..", "..", "examples", "minimal.yml"))
			exporter.metrics(b)
			time.Sleep(time.Minute)
			b.ReportMetric(series(b, exporter.metrics(b), "process_resident_memory_bytes")[""]/(1<<20), "MiB-resident")
			exporter.stop()
		}
		b.ReportMetric(0, "ns/op")
	})
}

// measureStarts starts the exporter again and again.
func measureStarts(b *testing.B, binary, file string) {
	var listens, result time.Duration
	for b.Loop() {
		address := freeAddress(b)
		command := exec.CommandContext(b.Context(), binary, "serve", "--config.file="+file, "--web.listen-address="+address)
		begun := time.Now()
		must(b, command.Start())
		soon(b, "it listens", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		listens += time.Since(begun)
		p := &program{url: "http://" + address}
		soon(b, "a result", func() bool { return strings.Contains(p.metrics(b), "\ncx700_probe_last_run_timestamp_seconds{") })
		result += time.Since(begun)
		must(b, command.Process.Kill())
		_ = command.Wait()
		http.DefaultClient.CloseIdleConnections()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(listens.Microseconds())/1e3/float64(b.N), "ms-to-listening")
	b.ReportMetric(float64(result.Microseconds())/1e3/float64(b.N), "ms-to-first-result")
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return l.Addr().String()
}

// soon asks again every fifth of a millisecond.
func soon(b *testing.B, what string, ok func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not within a minute: %s", what)
		}
	}
}
