package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

func floatBits(v float64) uint64 { return math.Float64bits(v) }

func FuzzJSONStringsAreThoseOfEncodingJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "<b>&amp;</b>", "quote\" back\\slash", "\x00\x01\x1f\x7f\b\f\n\r\t", "日本語 🎉", "\u2028\u2029\ufffd", "\xff\xfe a\xc3", "a\xe6\x97"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendJSONString(nil, s); string(got) != string(want) {
			t.Errorf("appendJSONString(%q) = %s, want %s", s, got, want)
		}
		if got := appendJSONString(nil, []byte(s)); string(got) != string(want) {
			t.Errorf("appendJSONString of bytes %q = %s, want %s", s, got, want)
		}
	})
}

func FuzzJSONFloatsAreThoseOfEncodingJSON(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -2.5, 1e-6, 9.99e-7, 1e-9, 1e-10, 1e20, 1e21, 5e-324, math.MaxFloat64, 123456789.12345679} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		want, err := json.Marshal(v)
		if err != nil {
			want = []byte("null") // NaN and infinities
		}
		if got := appendJSONFloat(nil, v); string(got) != string(want) {
			t.Errorf("appendJSONFloat(%v) = %s, want %s", v, got, want)
		}
	})
}

func FuzzTimesAreRFC3339(f *testing.F) {
	for _, v := range []int64{0, -1, 1, 1_500_000_000, -60_000_000_000, -60_000_000_001, model.MinTime, model.MaxTime} {
		f.Add(v, v+1)
	}
	f.Fuzz(func(t *testing.T, a, b int64) {
		var ts timestamps
		for _, v := range []int64{a, b, a} { // from one day to another and back
			want := time.Unix(0, v).UTC().Format(time.RFC3339Nano)
			if got := ts.append(nil, v); string(got) != want {
				t.Errorf("time %d is %s, want %s", v, got, want)
			}
		}
	})
}

func TestTimesHaveTheZoneOfTheStatement(t *testing.T) {
	ts := timestamps{loc: time.FixedZone("", -5*3600)}
	if got, want := string(ts.append(nil, 0)), "1969-12-31T19:00:00-05:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// randomRows makes pieces of series with columns of all types.
func randomRows(rng *rand.Rand) []*exec.Rows {
	var out []*exec.Rows
	for s := range 1 + rng.IntN(3) {
		name := []string{"m", "", `we "ird,<m>`}[rng.IntN(3)]
		var tags model.Tags
		for k := range rng.IntN(3) {
			tags = append(tags, model.Tag{Key: "k" + strconv.Itoa(k), Value: []string{"", "a b", "c=,d"}[rng.IntN(3)]})
		}
		pieces := 1 + rng.IntN(3)
		for p := range pieces {
			r := &exec.Rows{Name: name, Tags: tags, Columns: []string{"time"}, Times: []int64{}, More: p < pieces-1}
			n := 1 + rng.IntN(4)
			for range n {
				r.Times = append(r.Times, rng.Int64N(1<<60)-1<<59)
			}
			for _, ft := range []model.FieldType{model.Float, model.Integer, model.Unsigned, model.String, model.Boolean} {
				c := model.Column{Field: model.Field{Name: ft.String() + strconv.Itoa(s), Type: ft}}
				r.Columns = append(r.Columns, c.Name)
				for range n {
					switch {
					case rng.IntN(4) == 0:
						c.AppendNull()
					case ft == model.String:
						c.AppendText([]byte([]string{"", "x", " lead", "a,\"b\"\n", "<&>\xff"}[rng.IntN(5)]))
					case ft == model.Boolean:
						c.AppendBits(rng.Uint64N(2))
					case ft == model.Float:
						c.AppendBits(floatBits(rng.NormFloat64() * math.Pow(10, float64(rng.IntN(60)-30))))
					default:
						c.AppendBits(rng.Uint64())
					}
				}
				r.Values = append(r.Values, c)
			}
			out = append(out, r)
		}
	}
	return out
}

// row is a series as InfluxDB marshals it.
type row struct {
	Name    string            `json:"name,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Columns []string          `json:"columns,omitempty"`
	Values  [][]any           `json:"values,omitempty"`
	Partial bool              `json:"partial,omitempty"`
}

type result struct {
	ID      int    `json:"statement_id"`
	Series  []*row `json:"series,omitempty"`
	Partial bool   `json:"partial,omitempty"`
}

type response struct {
	Results []result `json:"results,omitempty"`
}

// boxed gives rows in the shape that is marshalled.
func boxed(r *exec.Rows) *row {
	out := &row{Name: r.Name, Columns: r.Columns, Partial: r.More}
	if len(r.Tags) > 0 {
		out.Tags = make(map[string]string)
		for _, t := range r.Tags {
			out.Tags[t.Key] = t.Value
		}
	}
	for i := range r.Len() {
		line := []any{time.Unix(0, r.Times[i]).UTC()}
		for k := range r.Values {
			line = append(line, r.Values[k].Value(i))
		}
		out.Values = append(out.Values, line)
	}
	return out
}

func TestJSONIsWhatEncodingJSONWouldWrite(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		rows := randomRows(rng)
		opt := encoding{pretty: rng.IntN(2) == 0, chunked: rng.IntN(2) == 0}

		got := encodeAll(t, newJSONEncoder, opt, rows)

		marshal := func(v any) string {
			b, err := json.Marshal(v)
			if opt.pretty {
				b, err = json.MarshalIndent(v, "", "    ")
			}
			if err != nil {
				t.Fatal(err)
			}
			return string(b) + "\n"
		}
		want := ""
		if opt.chunked {
			for i, r := range rows {
				want += marshal(response{[]result{{Series: []*row{boxed(r)}, Partial: i < len(rows)-1}}})
			}
		} else {
			var series []*row
			more := false
			for _, r := range rows {
				b := boxed(r)
				b.Partial = false
				if more {
					series[len(series)-1].Values = append(series[len(series)-1].Values, b.Values...)
				} else {
					series = append(series, b)
				}
				more = r.More
			}
			want = marshal(response{[]result{{Series: series}}})
		}
		if got != want {
			t.Fatalf("seed %d %+v\n got  %s\n want %s", seed, opt, got, want)
		}
	}
}

// encodeAll gives what an encoder makes of one statement.
func encodeAll(t *testing.T, f func(*output, encoding) encoder, opt encoding, rows []*exec.Rows) string {
	t.Helper()
	w := newRecorder()
	out := w.output()
	e := f(out, opt)
	err := e.Begin(query.Statement{Partial: true})
	for _, r := range rows {
		if err == nil {
			err = e.Rows(r)
		}
	}
	if err == nil {
		err = e.End(query.Outcome{})
	}
	if err == nil {
		err = e.close()
	}
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

func TestCSVIsWhatEncodingCSVWouldWrite(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 8))
		rows := randomRows(rng)
		got := encodeAll(t, newCSVEncoder, encoding{}, rows)

		var want bytes.Buffer
		w := csv.NewWriter(&want)
		for i, r := range rows {
			if i == 0 || strings.Join(rows[i-1].Columns, ",") != strings.Join(r.Columns, ",") {
				if i > 0 {
					w.Flush()
					want.WriteByte('\n')
				}
				_ = w.Write(append([]string{"name", "tags"}, r.Columns...))
			}
			var tags model.Tags
			for _, tag := range r.Tags {
				if tag.Value != "" {
					tags = append(tags, tag)
				}
			}
			for n := range r.Len() {
				line := []string{r.Name, strings.TrimPrefix(string(model.AppendSeriesKey(nil, "", tags)), ","), strconv.FormatInt(r.Times[n], 10)}
				for k := range r.Values {
					s := ""
					switch v := r.Values[k].Value(n).(type) {
					case float64:
						s = strconv.FormatFloat(v, 'f', -1, 64)
					case int64:
						s = strconv.FormatInt(v, 10)
					case uint64:
						s = strconv.FormatUint(v, 10)
					case bool:
						s = strconv.FormatBool(v)
					case string:
						s = v
					}
					line = append(line, s)
				}
				_ = w.Write(line)
			}
		}
		w.Flush()
		if got != want.String() {
			t.Fatalf("seed %d\n got  %s\n want %s", seed, got, want.String())
		}
	}
}

func TestMsgpackHoldsTheSameAsJSON(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 9))
		rows := randomRows(rng)
		for _, r := range rows { // text that JSON can hold as it is
			for k := range r.Values {
				r.Values[k].Text = bytes.ReplaceAll(r.Values[k].Text, []byte{0xff}, []byte("x"))
			}
		}
		got := encodeAll(t, newMsgpackEncoder, encoding{epoch: 1}, rows)
		var text bytes.Buffer
		if _, err := msgp.UnmarshalAsJSON(&text, []byte(got)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := encodeAll(t, newJSONEncoder, encoding{epoch: 1}, rows)
		if canonical(t, text.String()) != canonical(t, want) {
			t.Fatalf("seed %d\n got  %s\n want %s", seed, text.String(), want)
		}
	}
}

// canonical gives JSON with sorted keys.
func canonical(t *testing.T, s string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMsgpackTimesAreExtensionFive(t *testing.T) {
	rows := []*exec.Rows{{Name: "m", Columns: []string{"time"}, Times: []int64{-1}}}
	got := encodeAll(t, newMsgpackEncoder, encoding{}, rows)
	if !strings.Contains(got, "\xc7\x0c\x05\xff\xff\xff\xff\xff\xff\xff\xff\x3b\x9a\xc9\xff") {
		t.Errorf("got %q", got)
	}
}

func TestHeaderTextIsOneLineOfWholeCharacters(t *testing.T) {
	if got, want := headerText("a\nb\x00c\x7fµ"), "a b c µ"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := headerText(strings.Repeat("x", 1023) + "µ"); got != strings.Repeat("x", 1023) {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-2:])
	}
}

func TestRequestIDsAreUUIDs(t *testing.T) {
	var s idSource
	a, b := s.next(), s.next()
	if a == b || len(a) != 36 || a[14] != '1' || !strings.ContainsRune("89ab", rune(a[19])) || a[24:] != b[24:] {
		t.Errorf("got %s and %s", a, b)
	}
}

func BenchmarkJSONRows(b *testing.B) {
	const n = 5000
	r := &exec.Rows{Name: "cpu", Columns: []string{"time", "a", "b", "c", "d"}}
	for i := range n {
		r.Times = append(r.Times, int64(i)*10e9)
	}
	for _, name := range r.Columns[1:] {
		c := model.Column{Field: model.Field{Name: name, Type: model.Float}}
		for i := range n {
			c.AppendBits(floatBits(float64(i) / 8))
		}
		r.Values = append(r.Values, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := newRecorder()
		out := w.output()
		e := newJSONEncoder(out, encoding{})
		_ = e.Begin(query.Statement{})
		_ = e.Rows(r)
		_ = e.End(query.Outcome{})
		_ = e.close()
		w.Body.Reset()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
}
