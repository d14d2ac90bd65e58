package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/tsm"
)

var rewrite = flag.Bool("rewrite", false, "write the outputs under testdata anew")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// maker fills a shard.
type maker struct {
	t     *testing.T
	shard *tsm.Shard
	seq   uint64
}

func (m *maker) write(b *model.Batch) {
	m.t.Helper()
	m.seq++
	b.ID = model.BatchID{Origin: 1, Epoch: 7, Seq: m.seq}
	b.Version = model.Version{HLC: model.NewHLC(time.Unix(1700000000, 0)) + model.HLC(m.seq), ID: b.ID}
	must(m.t, m.shard.Write(context.Background(), b))
}

// lines writes line protocol.
func (m *maker) lines(text string) {
	m.t.Helper()
	p := lineprotocol.NewParser(lineprotocol.DefaultConfig())
	r, err := p.Parse([]byte(text), lineprotocol.Options{})
	must(m.t, err)
	m.write(r.Batch)
}

// made makes a data directory with one shard: two files, one of them with
// versions that matter, a delete, and rows that are only in the log.
func made(t *testing.T) (dataDir, shardDir string) {
	t.Helper()
	dataDir = t.TempDir()
	shardDir = filepath.Join(dataDir, "shards", "7")
	must(t, os.MkdirAll(shardDir, 0o700))
	s, err := tsm.Open(vfs.OS, filepath.ToSlash(shardDir), tsm.DefaultConfig())
	must(t, err)
	m := &maker{t: t, shard: s}
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "cpu,host=a usage=%d.5,n=%di,ok=%v %d\n", i%7, i, i%2 == 0, i*1e10)
		fmt.Fprintf(&b, "cpu,host=b usage=%d.25 %d\n", i%3, i*1e10)
	}
	m.lines(b.String())
	must(t, s.Flush(context.Background()))
	m.lines("cpu,host=b usage=99 10000000000\ndisk,path=/ state=\"fine \\\"x\\\"\" 20000000000\n")
	must(t, s.Flush(context.Background()))
	m.lines("cpu,host=a usage=1000 10000000000\n")
	m.write(&model.Batch{Delete: &model.Delete{
		Where: model.AllOf(model.IsMeasurement("cpu"), &model.Predicate{Op: model.Equal, Key: "host", Value: "b"}),
		Range: model.TimeRange{Min: 20e9, Max: 1990e9},
	}})
	must(t, s.Close())
	return dataDir, shardDir
}

// inspect runs a command. Directories in what it says are shortened.
func inspect(t *testing.T, wantCode int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := Run(t.Context(), args, &o, &e); code != wantCode {
		t.Fatalf("inspect %q: exit %d, want %d\n%s%s", args, code, wantCode, o.String(), e.String())
	}
	return o.String(), e.String()
}

// golden compares with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestOutputs(t *testing.T) {
	data, shard := made(t)
	before := contents(t, data)
	var segments, logs []string
	names, err := filepath.Glob(filepath.Join(shard, "*.seg"))
	must(t, err)
	segments = append(segments, names...)
	names, err = filepath.Glob(filepath.Join(shard, "log", "*.wal"))
	must(t, err)
	logs = append(logs, names...)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"verify.txt", []string{"verify", "-data-dir", data}},
		{"verify.json", []string{"verify", "7", "--json", "-data-dir", data}},
		{"verify-files.txt", append(append([]string{"verify"}, segments...), logs...)},
		{"dump-segment.txt", append([]string{"dump-segment"}, segments...)},
		{"dump-segment-rows.txt", append([]string{"dump-segment", "--rows", "--limit", "5"}, segments...)},
		{"dump-segment-disk-rows.txt", []string{"dump-segment", "--measurement", "disk", "--rows", segments[len(segments)-1]}},
		{"dump-log.txt", []string{"dump-log", shard}},
		{"dump-log-rows.txt", []string{"dump-log", "--rows", logs[len(logs)-1]}},
		{"report.txt", []string{"report", "--shards", "-data-dir", data}},
		{"report-top.txt", []string{"report", "--top", "1", shard}},
		{"export.txt", []string{"export", "-lponly", "-data-dir", data, "-start", "1970-01-01T00:00:10Z", "-end", "20000000000"}},
		{"export-disk.txt", []string{"export", "-lponly", "-measurement", "disk", shard}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := inspect(t, 0, c.args...)
			golden(t, c.name, stable(c.name, strings.ReplaceAll(out, data, "DATA")))
		})
	}
	after := contents(t, data)
	for name, text := range before {
		if after[name] != text || len(after) != len(before) {
			t.Errorf("%s was changed, of %d files there are %d", name, len(before), len(after))
		}
	}
}

var (
	numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?( %)?( [KM]i?B| B)?`)
	codecs  = regexp.MustCompile(`(?m)(# # #|#  ?) [a-z][^#\n]*: #.*$`)
	blanks  = regexp.MustCompile(` +`)
	codec   = regexp.MustCompile(`(?m)^(float|integer|boolean|string): .*\n`)
	row     = regexp.MustCompile(`(?m)^(cpu|disk),.*\n`)
)

// stable leaves of an output what does not depend on how blocks are kept.
func stable(name, out string) string {
	switch {
	case strings.Contains(name, "-rows") && strings.HasPrefix(name, "dump-segment"):
		return strings.Join(row.FindAllString(out, -1), "")
	case strings.HasPrefix(name, "dump-segment"), strings.HasPrefix(name, "report"), strings.HasPrefix(name, "verify"):
		out = blanks.ReplaceAllString(numbers.ReplaceAllString(out, "#"), " ")
		return codec.ReplaceAllString(codecs.ReplaceAllString(out, "$1"), "")
	}
	return out
}

func TestReportAddsUp(t *testing.T) {
	data, shard := made(t)
	out, _ := inspect(t, 0, "report", "--json", "--top", "0", "-data-dir", data)
	var r struct {
		Policies     []sums
		Measurements []measured
		Fields       []struct {
			Measurement, Name string
			Data              usage
		}
		Codecs []usage
	}
	must(t, json.Unmarshal([]byte(out), &r))
	if len(r.Policies) != 1 || len(r.Measurements) != 2 || len(r.Fields) != 4 {
		t.Fatalf("report is %+v", r)
	}
	p := r.Policies[0]
	if p.Files != 2 || p.Series != 3 || p.Data.Rows != 402 || p.Data.Values != 802 || p.Log == 0 || p.Index == 0 {
		t.Errorf("the policy has %+v", p)
	}
	onDisk, values := int64(0), int64(0)
	names, err := filepath.Glob(filepath.Join(shard, "*.seg"))
	must(t, err)
	for _, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		onDisk += info.Size()
	}
	if p.Data.Bytes != onDisk {
		t.Errorf("%d bytes of data, %d on disk", p.Data.Bytes, onDisk)
	}
	for _, c := range r.Codecs {
		values += c.Values
	}
	if values != 802 {
		t.Errorf("codecs have %d values, want 802", values)
	}
	for _, m := range r.Measurements {
		bytes, values := m.Times, int64(0)
		for _, f := range r.Fields {
			if f.Measurement == m.Name {
				bytes, values = bytes+f.Data.Bytes, values+f.Data.Values
			}
		}
		if bytes != m.Data.Bytes || values != m.Data.Values {
			t.Errorf("%s has %d bytes and %d values, its parts %d and %d", m.Name, m.Data.Bytes, m.Data.Values, bytes, values)
		}
	}
}

// contents gives every file below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		all[name] = string(b)
		return err
	}))
	return all
}

func TestDamageIsToldAndNothingPanics(t *testing.T) {
	data, shard := made(t)
	files := contents(t, shard)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, text := range files {
		for range 12 {
			bad := []byte(text)
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
			if rng.IntN(4) == 0 {
				bad = bad[:rng.IntN(len(bad))]
			}
			must(t, os.WriteFile(name, bad, 0o600))
			for _, args := range [][]string{
				{"verify", "-data-dir", data},
				{"verify", "--json", shard},
				{"report", "-data-dir", data},
				{"export", "-lponly", shard},
				{"dump-log", "--rows", shard},
				{"dump-segment", "--rows", name},
			} {
				if args[0] == "dump-segment" && filepath.Ext(name) != ".seg" {
					continue
				}
				var out, errs bytes.Buffer
				code := Run(t.Context(), args, &out, &errs)
				if code != 0 && code != exitDamage {
					t.Errorf("%s damaged: inspect %q: exit %d\n%s", filepath.Base(name), args, code, errs.String())
				}
				if said := out.String() + errs.String(); code == exitDamage && !strings.Contains(said, "corrupt") && !strings.Contains(said, "damaged") && !strings.Contains(said, "not supported") {
					t.Errorf("%s damaged: inspect %q fails and says only %q %q", filepath.Base(name), args, out.String(), errs.String())
				}
			}
		}
		must(t, os.WriteFile(name, []byte(text), 0o600))
	}
}

func TestVerifyNamesFilePartAndOffset(t *testing.T) {
	data, shard := made(t)
	names, err := filepath.Glob(filepath.Join(shard, "*.seg"))
	must(t, err)
	b, err := os.ReadFile(names[0])
	must(t, err)
	b[10] ^= 1
	must(t, os.WriteFile(names[0], b, 0o600))
	out, _ := inspect(t, exitDamage, "verify", "-data-dir", data)
	if want := filepath.Base(names[0]) + `: directory of segment 0 of measurement "cpu" at 8: checksum`; !strings.Contains(out, want) || !strings.Contains(out, "1 shards, 1 damaged") {
		t.Errorf("verify says\n%s\nwant %q", out, want)
	}
	out, _ = inspect(t, exitDamage, "verify", "--json", "-data-dir", data)
	var all []struct {
		Shard  uint64
		Damage []struct {
			File   string
			Offset int64
		}
	}
	must(t, json.Unmarshal([]byte(out), &all))
	if len(all) != 1 || all[0].Shard != 7 || len(all[0].Damage) != 1 || all[0].Damage[0].File != filepath.Base(names[0]) || all[0].Damage[0].Offset != 8 {
		t.Errorf("verify --json says %+v", all)
	}
}

func TestCallsAreChecked(t *testing.T) {
	data, shard := made(t)
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, nil},
		{0, []string{"help"}},
		{0, []string{"report", "--help"}},
		{exitUsage, []string{"mend"}},
		{exitUsage, []string{"verify", "--nosuch"}},
		{exitUsage, []string{"dump-log"}},
		{exitUsage, []string{"export", "-start", "yesterday"}},
		{exitFailed, []string{"verify", "-data-dir", filepath.Join(data, "none")}},
		{exitFailed, []string{"verify", "99", "-data-dir", data}},
		{exitFailed, []string{"dump-segment", filepath.Join(data, "none.seg")}},
		{exitFailed, []string{"export", shard}}, // of which database is not known
		{exitFailed, []string{"export", "-lponly", "-out", filepath.Join(shard, "CURRENT"), shard}},
	} {
		inspect(t, c.code, c.args...)
	}
}

func TestLinesAreReadBackAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	text := func() string {
		const letters = `ab, ="\#é'/0`
		n := 1 + rng.IntN(6)
		var b strings.Builder
		for range n {
			b.WriteByte(letters[rng.IntN(len(letters))])
		}
		return "x" + b.String() + "x"
	}
	for i := range 2000 {
		key := model.AppendSeriesKey(nil, strings.ReplaceAll(text(), `\`, ""), model.Tags{{Key: strings.ReplaceAll(text(), `\`, ""), Value: strings.ReplaceAll(text(), `\`, "")}})
		columns := []model.Column{
			{Field: model.Field{Name: "f", Type: model.Float}},
			{Field: model.Field{Name: "i", Type: model.Integer}},
			{Field: model.Field{Name: "b", Type: model.Boolean}},
			{Field: model.Field{Name: strings.ReplaceAll(text(), `\`, ""), Type: model.String}},
		}
		f := math.Float64frombits(rng.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = math.Copysign(0, -1)
		}
		columns[0].AppendBits(math.Float64bits(f))
		columns[1].AppendBits(rng.Uint64())
		columns[2].AppendBits(uint64(i % 2))
		columns[3].AppendText([]byte(text() + "\n" + text()))
		line := appendLine(nil, key, columns, 0, int64(i))
		r, err := lineprotocol.NewParser(lineprotocol.DefaultConfig()).Parse(line, lineprotocol.Options{})
		if err != nil || r.Batch.Rows() != 1 {
			t.Fatalf("line %q: %v", line, err)
		}
		if got := string(r.Batch.Series[0].Key); got != string(key) {
			t.Errorf("key %q is read back as %q", key, got)
		}
		for k := range columns {
			want := &columns[k]
			found := false
			for j := range r.Batch.Tables[0].Columns {
				got := &r.Batch.Tables[0].Columns[j]
				found = found || got.Field == want.Field && fmt.Sprint(got.Value(0)) == fmt.Sprint(want.Value(0))
			}
			if !found {
				t.Errorf("line %q: %v is not read back", line, want.Field)
			}
		}
	}
}
