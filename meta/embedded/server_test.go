package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), dir, DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Each test of the suite gets a folder of its own in one etcd, since starting
// one takes a fraction of a second.
func TestEtcd(t *testing.T) {
	s := start(t, t.TempDir())
	metatest.Run(t, func(t *testing.T) meta.KV {
		if _, _, err := s.Txn(t.Context(), nil, []meta.Op{meta.DeletePrefix("/")}); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestAFullDiskRefusesChangesAndTakesThemLater(t *testing.T) {
	s := start(t, t.TempDir())
	real := s.free
	put := []meta.Op{meta.Put("/a", []byte("1"))}
	s.free = func() (uint64, error) { return reservedBytes - 1, nil }
	if _, _, err := s.Txn(t.Context(), nil, put); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a put on a full disk gave %v, want %v", err, model.ErrUnavailable)
	}
	if _, _, err := s.Txn(t.Context(), nil, []meta.Op{meta.Delete("/b")}); err != nil {
		t.Errorf("a removal with some room gave %v", err)
	}
	if _, ok, err := s.Get(t.Context(), "/a"); ok || err != nil {
		t.Errorf("Get = %v, %v; want nothing", ok, err)
	}
	s.free = real
	if ok, _, err := s.Txn(t.Context(), nil, put); !ok || err != nil {
		t.Errorf("with room again a put gave %v, %v", ok, err)
	}
}

func TestServerOpensNoPortAndKeepsItsLogSmall(t *testing.T) {
	before := listening(t)
	dir := t.TempDir()
	start(t, dir)
	if after := listening(t); after != before {
		t.Errorf("listening sockets of this process:\n%s\nbefore the start:\n%s", after, before)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "member/wal/*"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("files of etcd's log: %v, %v", logs, err)
	}
	for _, name := range logs {
		if info, err := os.Stat(name); err == nil && info.Size() > walBytes {
			t.Errorf("%s is of %d bytes, want at most %d", name, info.Size(), walBytes)
		}
	}
}

// listening gives the inodes of the sockets that this process listens on.
func listening(t *testing.T) string {
	t.Helper()
	own := map[string]bool{}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Skip("there is no /proc here")
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	var out strings.Builder
	for _, file := range []string{"tcp", "tcp6", "unix", "udp", "udp6"} {
		table, err := os.ReadFile("/proc/self/net/" + file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			for _, word := range strings.Fields(line) {
				if own[word] {
					fmt.Fprintf(&out, "%s %s", file, line)
				}
			}
		}
	}
	return out.String()
}

func TestServerKeepsWhatWasWrittenOverARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if _, _, err := s.Txn(t.Context(), nil, []meta.Op{meta.Put("/a", []byte("x"))}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	began := time.Now()
	s = start(t, dir)
	t.Logf("second start took %s", time.Since(began))
	item, ok, err := s.Get(t.Context(), "/a")
	if !ok || err != nil || string(item.Value) != "x" {
		t.Errorf("after a restart: %q, %v, %v", item.Value, ok, err)
	}
}

func TestServerLogsNoErrorInACleanLife(t *testing.T) {
	var log bytes.Buffer
	s, err := Start(t.Context(), t.TempDir(), DefaultConfig(),
		slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Txn(t.Context(), nil, []meta.Op{meta.Put("/a", []byte("x"))}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("log at level warn and above:\n%s", log.String())
	}
}

func TestClientOfAnAbsentEtcdFailsInTime(t *testing.T) {
	c, err := Connect(ClientConfig{Endpoints: []string{"127.0.0.1:1"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := c.Get(ctx, "/a"); err == nil {
		t.Error("get from an absent etcd gave no error")
	}
}
