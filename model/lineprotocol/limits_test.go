package lineprotocol

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestKeysOfMaximalLength(t *testing.T) {
	for _, c := range []struct {
		tag  int // length of the tag's value
		want string
	}{
		{65535 - len("m,t=") - len("v") - 4, ""},
		{65535 - len("m,t=") - len("v") - 3, "max key length exceeded: 65536 > 65535"},
		{65535 - len("m,t="), "max key length exceeded: 65540 > 65535"},
		{65536 - len("m,t="), "max key length exceeded: 65536 > 65535"},
	} {
		line := "m,t=" + strings.Repeat("x", c.tag) + " v=1 1"
		p := testParser(nil)
		for range 2 {
			got := parse(t, p, []byte(line), Options{})
			if !strings.HasSuffix(got.Err, c.want) || (got.Err == "") != (c.want == "") {
				t.Errorf("tag of %d bytes: got %.40q…, want %q", c.tag, got.Err, c.want)
			}
		}
	}
}

func TestStringsOverOneMiBAreDropped(t *testing.T) {
	p := testParser(nil)
	for range 2 {
		body := "m v=\"" + strings.Repeat("x", maxStringBytes) + "\" 1\nm v=\"" + strings.Repeat("x", maxStringBytes+1) + "\" 2\n"
		got := parse(t, p, []byte(body), Options{})
		want := `input field "v" on measurement "m" is too long, 1048577 > 1048576`
		if len(got.Rows["m"]) != 1 || got.Dropped != 1 || got.Reason != want {
			t.Errorf("got %d rows, %d dropped, %q; want 1, 1, %q", len(got.Rows["m"]), got.Dropped, got.Reason, want)
		}
	}
}

func TestTextOfManyBadLinesIsBounded(t *testing.T) {
	p := testParser(func(c *Config) { c.MaxErrorBytes = 1000 })
	for _, body := range []string{
		strings.Repeat("bad\n", 10000),
		"good v=1\n" + strings.Repeat("x", 1<<20),
		"m v=" + strings.Repeat("9", 1<<20) + "i",
	} {
		r, err := p.Parse([]byte(body), Options{})
		if err != nil {
			t.Fatal(err)
		}
		text := r.Err.Error()
		if !errors.Is(r.Err, model.ErrInvalid) || len(text) > 5000 || r.Malformed == 0 {
			t.Errorf("%d bad lines: %d bytes of text of kind %v", r.Malformed, len(text), errors.Unwrap(r.Err))
		}
		if r.Malformed == 10000 {
			shown := strings.Count(text, "unable to parse 'bad': missing fields\n")
			if want := fmt.Sprintf("\n... and %d more lines that cannot be parsed", 10000-shown); !strings.HasSuffix(text, want) {
				t.Errorf("text ends in %q, want %q", text[len(text)-60:], want)
			}
		}
	}
}

func TestBodyWithTooManyFieldsIsRefusedWhole(t *testing.T) {
	p := testParser(func(c *Config) { c.MaxColumns = 1000 })
	var lines, wide, measurements bytes.Buffer
	wide.WriteString("m ")
	for i := range 2000 {
		fmt.Fprintf(&lines, "m f%d=1\n", i)
		fmt.Fprintf(&wide, "f%d=1,", i)
		fmt.Fprintf(&measurements, "m%d f=1\n", i)
	}
	wide.WriteString("f=1")
	for _, body := range []bytes.Buffer{lines, wide, measurements} {
		if _, err := p.Parse(body.Bytes(), Options{}); !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("parse %.20q…: error %v, want kind %v", body.Bytes(), err, model.ErrTooLarge)
		}
		// The parser goes on as if nothing had been.
		if got := parse(t, p, []byte("m f1=1 1\nm f2=2 2"), Options{}); len(got.Rows["m"]) != 2 || got.Err != "" {
			t.Errorf("after %.20q…: got %v", body.Bytes(), got)
		}
	}
}

// TestSparseBodiesStaySmall counts the slots of bodies whose dense form would
// be enormous.
func TestSparseBodiesStaySmall(t *testing.T) {
	const rows = 4000
	bodies := map[string]*bytes.Buffer{}
	line := func(name, format string, args ...any) {
		if bodies[name] == nil {
			bodies[name] = &bytes.Buffer{}
		}
		fmt.Fprintf(bodies[name], format, args...)
	}
	for i := range rows {
		line("each its own field", "m f%d=1i %d\n", i, i)
		line("200 fields in turn", "m f%d=1i %d\n", i%200, i)
		line("one wide row, then narrow ones", "m f0=1i %d\n", i)
		line("two of 100 fields", "m f%d=1i,f%d=2i %d\n", i%100, 100+i*7%100, i)
		line("strings", "m f%d=\"x\" %d\n", i%500, i)
		line("one time", "m f%d=1i 0\n", i%200)
	}
	for i := range 1000 {
		line("one wide row, then narrow ones", "m f%d=1i %d\n", i, rows)
	}
	p := testParser(nil)
	for name, body := range bodies {
		r, err := p.Parse(body.Bytes(), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		slots, values := 0, 0
		for i := range r.Batch.Tables {
			for j := range r.Batch.Tables[i].Columns {
				slots += r.Batch.Tables[i].Columns[j].Len()
				values += r.Batch.Tables[i].Columns[j].Count()
			}
		}
		if slots > maxSlotsPerValue*values+freeSlots {
			t.Errorf("%s: %d slots for %d values", name, slots, values)
		}
		if rows := bytes.Count(body.Bytes(), []byte("\n")); r.Batch.Rows() != rows {
			t.Errorf("%s: %d rows of %d lines", name, r.Batch.Rows(), rows)
		}
	}
}

// TestLaterValueWinsInSplitTables applies the tables in order and compares with
// the lines in order.
func TestLaterValueWinsInSplitTables(t *testing.T) {
	rng := seeded.Rand(t)
	type cell struct {
		key   string
		time  int64
		field string
	}
	for range 5 {
		var body bytes.Buffer
		want := map[cell]int64{}
		value := int64(0)
		for range 2000 {
			key := fmt.Sprintf("m,t=%d", rng.IntN(2))
			at := rng.Int64N(50)
			fmt.Fprintf(&body, "%s ", key)
			fields := map[string]int64{}
			for i := range 1 + rng.IntN(3) {
				if i > 0 {
					body.WriteByte(',')
				}
				value++
				f := fmt.Sprintf("f%d", rng.IntN(60))
				fields[f] = value
				fmt.Fprintf(&body, "%s=%di", f, value)
			}
			for f, v := range fields {
				want[cell{key, at, f}] = v
			}
			fmt.Fprintf(&body, " %d\n", at)
		}
		r, err := testParser(nil).Parse(body.Bytes(), Options{})
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if len(r.Batch.Tables) < 2 {
			t.Fatalf("%d tables: the body is not sparse enough for this test", len(r.Batch.Tables))
		}
		got := map[cell]int64{}
		for i := range r.Batch.Tables {
			tab := &r.Batch.Tables[i]
			for row, at := range tab.Times {
				for j := range tab.Columns {
					if c := &tab.Columns[j]; c.Has(row) {
						got[cell{string(r.Batch.Series[tab.Series[row]].Key), at, c.Name}] = c.Int64s()[row]
					}
				}
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d cells, want %d", len(got), len(want))
		}
		for c, v := range want {
			if got[c] != v {
				t.Fatalf("cell %v is %d, want %d", c, got[c], v)
			}
		}
	}
}

func TestMemoIsBounded(t *testing.T) {
	p := testParser(func(c *Config) { c.MemoBytes = 100 << 10 })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 100 {
		var body bytes.Buffer
		for j := range 300 {
			fmt.Fprintf(&body, "m,t=%d-%d f%d=1\n", i, j, i*50+j%50)
		}
		r, err := p.Parse(body.Bytes(), Options{Now: testNow})
		if err != nil || r.Batch.Rows() != 300 {
			t.Fatalf("body %d: %v, %d rows", i, err, r.Batch.Rows())
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("heap grew by %d bytes over 30,000 series and 5,000 fields", grown)
	}
	runtime.KeepAlive(p)
}

func TestKnownLinesDoNotAllocate(t *testing.T) {
	p := testParser(nil)
	allocations := func(body []byte) float64 {
		return testing.AllocsPerRun(10, func() {
			r, err := p.Parse(body, Options{Now: testNow})
			if err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
			r.Release()
		})
	}
	few, many := allocations(tsbs(100, 10)), allocations(tsbs(100, 50))
	if many > few+8 {
		t.Errorf("%v allocations for 5,000 lines, %v for 1,000", many, few)
	}
}

func TestReleasedMemoryIsNotShared(t *testing.T) {
	p := testParser(func(c *Config) { c.Workers = 4 })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 15 {
				var body bytes.Buffer
				for j := range 400 {
					fmt.Fprintf(&body, "m,g=%d,j=%d a=%di,b=%d.5,c=\"%d\" %d\n", g, j%20, g, g, g, j)
				}
				r, err := p.Parse(body.Bytes(), Options{})
				if err != nil || r.Err != nil {
					t.Error(err, r.Err)
					return
				}
				for row := range r.Batch.Tables[0].Times {
					for c := range r.Batch.Tables[0].Columns {
						v := fmt.Sprint(r.Batch.Tables[0].Columns[c].Value(row))
						if v != fmt.Sprint(g) && v != fmt.Sprintf("%d.5", g) {
							t.Errorf("goroutine %d, body %d, row %d: value %s", g, i, row, v)
							return
						}
					}
				}
				r.Release()
			}
		})
	}
	wg.Wait()
}

func TestUnsignedFieldsAreTakenWhereAsked(t *testing.T) {
	p := testParser(func(c *Config) { c.Unsigned = true })
	for range 2 {
		got := parse(t, p, []byte("m v=18446744073709551615u 1\nm v=-1u 2\nm v=18446744073709551616u 3\nm v=7u 4"), Options{})
		want := "unable to parse 'm v=-1u 2': invalid number\n" +
			`unable to parse 'm v=18446744073709551616u 3': unable to parse unsigned 18446744073709551616: strconv.ParseUint: parsing "18446744073709551616": value out of range`
		if got.Err != want || len(got.Rows["m"]) != 2 || !strings.HasSuffix(got.Rows["m"][0], "unsigned:ffffffffffffffff") {
			t.Errorf("got %v", got)
		}
	}
}

func TestPrecisionsOfBothEndpoints(t *testing.T) {
	for _, c := range []struct {
		parse func(string) (Precision, error)
		in    string
		want  Precision
		err   string
	}{
		{ParsePrecision, "", Nanosecond, ""},
		{ParsePrecision, "n", Nanosecond, ""},
		{ParsePrecision, "h", Hour, ""},
		{ParsePrecision, "us", 0, `invalid precision "us" (use n, u, ms, s, m or h)`},
		{ParsePrecisionV2, "us", Microsecond, ""},
		{ParsePrecisionV2, "m", 0, `invalid precision "m" (use ns, us, ms or s)`},
	} {
		got, err := c.parse(c.in)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != c.want || text != c.err {
			t.Errorf("precision %q: got %d, %q, want %d, %q", c.in, got, text, c.want, c.err)
		}
	}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("default: %v", err)
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.Workers = 0 },
		func(c *Config) { c.MemoBytes = -1 },
		func(c *Config) { c.MaxColumns = 0 },
		func(c *Config) { c.MaxErrorBytes = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// A body of many series must not be remembered beyond the bound until another comes.
func TestMemoryOfSeriesIsGivenBackAfterABodyThatIsTooMuch(t *testing.T) {
	p := testParser(func(c *Config) { c.MemoBytes, c.Workers = 100<<10, 1 })
	var body []byte
	for i := range 10_000 {
		body = fmt.Appendf(body, "m,t=%d v=1 1\n", i)
	}
	r, err := p.Parse(body, Options{})
	if err != nil || r.Lines != 10_000 {
		t.Fatalf("Parse = %d lines, %v, want 10000", r.Lines, err)
	}
	r.Release()
	w := <-p.workers
	if w.memo.bytes > 100<<10 {
		t.Errorf("%d bytes are remembered, want at most 102400", w.memo.bytes)
	}
}
