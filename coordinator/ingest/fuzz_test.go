package ingest

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/varvedb/varve/coordinator/ingest/collectd"
	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
)

// checkRows fails unless what was decoded can be stored, in memory that is in
// proportion to the input.
func checkRows(t *testing.T, rows *point.Rows, input int) {
	t.Helper()
	if rows.Bytes() > 1<<10+256*input {
		t.Fatalf("%d bytes hold %d", input, rows.Bytes())
	}
	b := rows.Take()
	if _, err := model.DecodeBatch(model.AppendBatch(nil, b)); err != nil {
		t.Fatalf("what was decoded is not a batch: %v", err)
	}
	for _, s := range b.Series {
		measurement, tags, ok := model.ParseSeriesKey(s.Key)
		if !ok || string(model.AppendSeriesKey(nil, measurement, tags)) != string(s.Key) {
			t.Fatalf("the key %q is none", s.Key)
		}
	}
}

func FuzzGraphite(f *testing.F) {
	f.Add("a.b.c 1 1500000000\n", "a.* .host.measurement*")
	f.Add("a.b.c 1\nx 2 nan\n", "measurement.t.t.field* k=v")
	p := offline(nil).newPipe(DefaultGraphite().target(), "tcp")
	f.Fuzz(func(t *testing.T, text, template string) {
		cfg := DefaultGraphite()
		cfg.Templates = []string{template}
		parser, err := cfg.parser()
		if err != nil {
			t.Skip()
		}
		rows := point.NewRows(0)
		p.decodeGraphite(parser, chunk{data: []byte(text), at: recordedAt}, rows)
		checkRows(t, rows, len(text)*(1+len(template)))
	})
}

func FuzzTelnet(f *testing.F) {
	f.Add("put a 1500000000 1 k=v\nput b 1500000000123 2\nversion\n")
	tel := &telnet{pipe: offline(nil).newPipe(DefaultOpenTSDB().target(), "tcp")}
	f.Fuzz(func(t *testing.T, text string) {
		rows := point.NewRows(0)
		tel.decode(chunk{data: []byte(text)}, rows)
		checkRows(t, rows, len(text))
	})
}

func FuzzUDP(f *testing.F) {
	f.Add("cpu,host=a v=1,s=\"x\" 10\ncpu v=1i\n")
	cfg := lineprotocol.DefaultConfig()
	cfg.Workers, cfg.MemoBytes = 1, 1<<20
	parser := lineprotocol.NewParser(cfg)
	p := offline(nil).newPipe(DefaultUDP().target(), "udp")
	f.Fuzz(func(t *testing.T, text string) {
		rows := point.NewRows(0)
		p.decodeLines(parser, lineprotocol.Options{Now: recordedAt}, chunk{data: []byte(text)}, rows)
		b := rows.Take()
		if _, err := model.DecodeBatch(model.AppendBatch(nil, b)); err != nil {
			t.Fatalf("what was decoded is not a batch: %v", err)
		}
	})
}

func FuzzCollectd(f *testing.F) {
	types, err := collectd.ReadTypes("testdata/types.db")
	if err != nil {
		f.Fatal(err)
	}
	auth := filepath.Join(f.TempDir(), "auth")
	if err := os.WriteFile(auth, []byte("alice: w0nderl4nd\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	passwords, err := collectd.ReadPasswords(auth)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range readSections(f, "collectd.txt") {
		if s.name == "none" || s.name == "sign" || s.name == "encrypt" {
			packet, err := hex.DecodeString(s.lines[0])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packet, s.name == "sign")
		}
	}
	p := offline(nil).newPipe(DefaultCollectd().target(), "udp")
	f.Fuzz(func(t *testing.T, packet []byte, join bool) {
		rows := point.NewRows(0)
		p.decodeCollectd(&collectd.Parser{Types: types, Passwords: passwords, Join: join}, chunk{data: packet, at: recordedAt}, rows)
		checkRows(t, rows, len(packet))
	})
}
