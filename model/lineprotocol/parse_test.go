package lineprotocol

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

const testSeed = 7

var testNow = time.Unix(1700000000, 123456789)

func testParser(change func(*Config)) *Parser {
	cfg := DefaultConfig()
	cfg.HashSeed = testSeed
	cfg.Workers = 1
	if change != nil {
		change(&cfg)
	}
	return NewParser(cfg)
}

// answer is what a body gives, in a form that can be compared: the rows in
// order, per measurement, and the texts.
type answer struct {
	Rows    map[string][]string
	Cells   map[string]string // what is stored in the end, however it is put into rows
	Err     string
	Dropped int
	Reason  string
}

func (a answer) String() string {
	var b strings.Builder
	for _, m := range slices.Sorted(maps.Keys(a.Rows)) {
		for _, r := range a.Rows[m] {
			fmt.Fprintf(&b, "%s\n", r)
		}
	}
	fmt.Fprintf(&b, "err %q dropped %d %q", a.Err, a.Dropped, a.Reason)
	return b.String()
}

// stored gives the answer as far as it does not depend on Options.Join.
func (a answer) stored() string {
	var b strings.Builder
	for _, place := range slices.Sorted(maps.Keys(a.Cells)) {
		fmt.Fprintf(&b, "%s=%s\n", place, a.Cells[place])
	}
	fmt.Fprintf(&b, "err %q dropped %d %q", a.Err, a.Dropped, a.Reason)
	return b.String()
}

// add adds a row to a.
func (a answer) add(measurement string, key []byte, t int64, fields map[string]string) {
	a.Rows[measurement] = append(a.Rows[measurement], rowText(key, t, fields))
	for name, value := range fields {
		a.Cells[fmt.Sprintf("%q %d %q", key, t, name)] = value
	}
}

// rowText gives a row as text, fields in order of name.
func rowText(key []byte, t int64, fields map[string]string) string {
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d", key, t)
	for _, n := range names {
		fmt.Fprintf(&b, " %q=%s", n, fields[n])
	}
	return b.String()
}

func valueText(typ model.FieldType, bits uint64, text []byte) string {
	if typ == model.String {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%s:%x", typ, bits)
}

// parse gives the answer of p and checks what holds for every batch.
func parse(t testing.TB, p *Parser, body []byte, opt Options) answer {
	t.Helper()
	r, err := p.Parse(body, opt)
	if err != nil {
		return answer{Err: err.Error()}
	}
	defer r.Release()
	a := answer{Rows: map[string][]string{}, Cells: map[string]string{}, Dropped: r.Dropped.Count, Reason: r.Dropped.Reason}
	if r.Err != nil {
		a.Err = r.Err.Error()
	}
	if rows := r.Batch.Rows(); r.Lines != rows+r.Malformed+r.Dropped.Count && !r.Joined {
		t.Fatalf("%q: %d lines, but %d rows, %d malformed, %d dropped", body, r.Lines, rows, r.Malformed, r.Dropped.Count)
	}
	seen := map[model.SeriesHash]bool{}
	for _, s := range r.Batch.Series {
		if seen[s.Hash] || s.Hash != model.HashSeriesKey(s.Key, testSeed) {
			t.Fatalf("%q: series %q twice or with a wrong hash", body, s.Key)
		}
		seen[s.Hash] = true
	}
	for i := range r.Batch.Tables {
		tab := &r.Batch.Tables[i]
		for j := range tab.Columns {
			c := &tab.Columns[j]
			if c.Len() != len(tab.Times) || c.Count() == 0 {
				t.Fatalf("%q: column %v has %d slots and %d values in %d rows", body, c.Field, c.Len(), c.Count(), len(tab.Times))
			}
		}
		for row, at := range tab.Times {
			fields := map[string]string{}
			for j := range tab.Columns {
				c := &tab.Columns[j]
				switch {
				case !c.Has(row):
				case fields[c.Name] != "":
					t.Fatalf("%q: row %d has field %q twice", body, row, c.Name)
				case c.Type == model.String:
					fields[c.Name] = valueText(c.Type, 0, c.Bytes(row))
				default:
					fields[c.Name] = valueText(c.Type, c.Bits[row], nil)
				}
			}
			key := r.Batch.Series[tab.Series[row]].Key
			if name, _, _ := model.ParseSeriesKey(key); name != tab.Measurement {
				t.Fatalf("%q: series %q in table %q", body, key, tab.Measurement)
			}
			a.add(tab.Measurement, key, at, fields)
		}
	}
	return a
}

// parseByReference gives the answer of the reference decoder alone, without
// columns, memo or library.
func parseByReference(body []byte, opt Options, unsigned bool) answer {
	a := answer{Rows: map[string][]string{}, Cells: map[string]string{}}
	ref := reference{unsigned: unsigned}
	var drops Drops
	bad := refused{limit: 1 << 30}
	now := opt.Now.Truncate(time.Duration(opt.Precision)).UnixNano()
	for pos := 0; pos < len(body); pos++ {
		end := lineEnd(body, pos)
		line := body[pos:end]
		pos = end
		start := skipBlanks(line, 0)
		if start == len(line) || line[start] == '#' {
			continue
		}
		line = bytes.TrimSuffix(line, []byte("\n"))[start:]
		p := point{maxFields: DefaultConfig().MaxFields}
		if err := ref.decode(line, opt.Precision, &p); err != nil {
			bad.add(line, err)
			continue
		}
		if drops.drop(&p, DefaultConfig().MaxTags) {
			continue
		}
		var tags model.Tags
		for _, t := range p.tags {
			tags = append(tags, model.Tag{Key: string(t.key), Value: string(t.value)})
		}
		fields := map[string]string{}
		for _, f := range p.fields {
			fields[string(f.name)] = valueText(f.typ, f.bits, f.text)
		}
		if !p.timed {
			p.time = now
		}
		name := string(p.measurement)
		a.add(name, model.AppendSeriesKey(nil, name, tags), p.time, fields)
	}
	if err := bad.err(); err != nil {
		a.Err = err.Error()
	}
	a.Dropped, a.Reason = drops.Count, drops.Reason
	return a
}

// checkWays holds the ways against each other: all of Parse with an empty memo,
// with a memory of the same body, and the reference decoder.
func checkWays(t testing.TB, body []byte, opt Options) {
	t.Helper()
	byReference := parseByReference(body, opt, false)
	want := byReference.String()
	p := testParser(nil)
	for _, memo := range []string{"an empty", "a warm", "a warm"} {
		if got := parse(t, p, body, opt).String(); got != want {
			t.Fatalf("parse %q with %s memo:\ngot  %s\nwant %s", body, memo, got, want)
		}
		joined := opt
		joined.Join = true
		if got, want := parse(t, p, body, joined).stored(), byReference.stored(); got != want {
			t.Fatalf("parse %q with %s memo, joining rows:\ngot  %s\nwant %s", body, memo, got, want)
		}
	}
}

var waysSeeds = []string{
	"cpu,host=a,region=b v=1,w=2i,x=\"s\",y=true 10\ncpu,host=a,region=b v=1.25,w=-22i,x=\"s t,u=1\",y=F 1700000000000000000\n",
	"cpu,region=b,host=a v=1e-7,w=2i\ncpu,host=a,region=b v=-0",
	"m\\ x,ta\\,g=va\\=l f\\ 1=\"a\\\"b\\\\c\\d\",g=t -5\nm\\ x,ta\\,g=va\\=l f\\ 1=\"\n\",g=t -5",
	"m v=1,v=2i,v=3 9\nm v=1,v=2i 9\nm v=1i 10",
	"disk,path=C:\\temp used=12345678901234567890 5\ndisk,path=C:\\\\ used=1 5\ndisk,path=C:\\ used=1 5\n",
	"d,t=1 v=1,time=2 3\nd,time=1 v=1 3\nd time=2 3",
	"# comment\n\n \t\x00\n  m v=1 1\nm v=1 1 \nm  v=1  1\n#m v=\"\nm v=2 2",
	"m v=1 1\r\nm v=1u 1\nm v=1_0 1\nm v=+1\nm v=NaN\nm v=1e400\nm v=9223372036854775808i",
	"m,a=1,a=2 v=1\nm,b=1,a=1,b=2 v=1\nm,a= v=1\nm,=1 v=1\nm,a=1, v=1\nm,a=b=c v=1\n,a=1 v=1\nm",
	"m v=\"a\"b 1\nm v=\"unclosed 1\nm v=1 2\n",
	"0 \\\\=\"=\"\nm \\0=\",\"=3,\"=\"",
	"m v=1 9223372036854775806\nm v=1 9223372036854775807\nm v=1 -9223372036854775807\nm v=1 -\nm v=1 1 2",
	"m,a=\xff v=1\nm,a=\x01 v=1\nm,a=\x7f v=\"\xff\"\n\xef\xbb\xbfm v=1",
	"m,h=1 a=1 5\nm,h=1 b=2i 5\nm,h=1 c=\"x\",d=t 5\nm,h=1 a=3 5\nm,h=1 a=4i 5\nm,h=2 b=1i 5\nm,h=2 a=1 5\nm,h=2 a=1 6\nm,h=2 b=1 6",
	"m a=1,b=2\nm b=1,a=2\nm c=1\nm a=1i,c=\"x\"\nm c=\"y\",b=t\nm a=1,b=2",
}

func TestWaysAgree(t *testing.T) {
	for _, s := range waysSeeds {
		for _, p := range []Precision{Nanosecond, Second, Hour} {
			checkWays(t, []byte(s), Options{Precision: p, Now: testNow})
		}
	}
}

func FuzzWaysAgree(f *testing.F) {
	for _, s := range waysSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkWays(t, body, Options{Precision: Millisecond, Now: testNow})
	})
}

// FuzzLibraryAgrees holds the library against the reference decoder on every
// line that is given to it.
func FuzzLibraryAgrees(f *testing.F) {
	for _, s := range waysSeeds {
		for _, line := range strings.Split(s, "\n") {
			f.Add([]byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		checkLibrary(t, line)
	})
}

func checkLibrary(t testing.TB, line []byte) {
	t.Helper()
	if start := skipBlanks(line, 0); start > 0 || len(line) == 0 || line[0] == '#' || !libraryReads(line) {
		return
	}
	got, want := point{maxFields: 100}, point{maxFields: 100}
	if !readByLibrary(line, Nanosecond, false, &got) {
		return
	}
	ref := reference{}
	if err := ref.decode(line, Nanosecond, &want); err != nil {
		t.Fatalf("library takes %q, InfluxDB says %v", line, err)
	}
	if g, w := pointText(&got), pointText(&want); g != w {
		t.Fatalf("decode %q:\nlibrary  %s\nInfluxDB %s", line, g, w)
	}
}

func pointText(p *point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %d %t", p.rawKey, p.measurement, p.time, p.timed)
	for _, t := range p.tags {
		fmt.Fprintf(&b, " %q:%q", t.key, t.value)
	}
	for _, f := range p.fields {
		fmt.Fprintf(&b, " %q=%s", f.name, valueText(f.typ, f.bits, f.text))
	}
	return b.String()
}
