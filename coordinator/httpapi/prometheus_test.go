package httpapi

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// remoteMessage makes a message of fields with messages or texts, all of one number.
func remoteMessage(number protowire.Number, parts ...string) string {
	var b []byte
	for _, p := range parts {
		b = protowire.AppendTag(b, number, protowire.BytesType)
		b = protowire.AppendString(b, p)
	}
	return string(b)
}

func remoteSeries(name string, values ...float64) string {
	series := remoteMessage(1, remoteMessage(1, "__name__")+remoteMessage(2, name))
	for i, v := range values {
		b := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, math.Float64bits(v))
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(i+1))
		series += remoteMessage(2, string(b))
	}
	return remoteMessage(1, series)
}

func block(message string) string { return string(snappy.Encode(nil, []byte(message))) }

func TestRemoteWriteGetsTheAnswersOfInfluxDB(t *testing.T) {
	good := block(remoteSeries("up", 1, math.NaN(), 2))
	for _, c := range []struct {
		target, body string
		status       int
		want         string
		rows         int
	}{
		{"", good, 400, `{"error":"database is required"}`, 0},
		{"?db=no", good, 404, `{"error":"database not found: \"no\""}`, 0},
		{"?db=away", good, 503, `{"error":"metadata store unavailable"}`, 0},
		{"?db=db", "garbage", 400, `{"error":"snappy: corrupt input"}`, 0},
		{"?db=db", "", 400, `{"error":"snappy: corrupt input"}`, 0},
		{"?db=db", "\xff\xff\xff\xff\x0f\x00", 400, `{"error":"snappy: corrupt input"}`, 0}, // says 4 GB
		{"?db=db", block("garbage"), 400, `{"error":"invalid Protocol Buffers message"}`, 0},
		{"?db=db&consistency=foo", good, 400, `{"error":"invalid consistency level"}`, 0},
		{"?db=db", block(""), 204, "", 0},
		{"?db=db", good, 204, "", 2},
		{"?db=db", block(remoteSeries("up", 1) + remoteSeries(`m\`, 1, 2)), 400, `{"error":"partial write: invalid tag format: a name or value ends in a backslash dropped=2"}`, 1},
	} {
		b := newBench(t, nil)
		w := b.do("POST", "/api/v1/prom/write"+c.target, c.body)
		if c.want != "" {
			c.want += "\n"
		}
		if w.Code != c.status || w.Body.String() != c.want || b.writer.rows != c.rows {
			t.Errorf("%s %q\n got  %d %s with %d rows\n want %d %s with %d", c.target, c.body, w.Code, w.Body, b.writer.rows, c.status, c.want, c.rows)
		}
		if used := b.budget.used.Load(); used != 0 {
			t.Errorf("%s: %d bytes are still counted as in flight", c.target, used)
		}
	}
}

func TestSamplesAreCountedAsPoints(t *testing.T) {
	b := newBench(t, nil)
	for _, body := range []string{block(remoteSeries("up", 1, 2) + remoteSeries(`m\`, 1)), block(remoteSeries("up", 3))} {
		b.do("POST", "/api/v1/prom/write?db=db", body)
	}
	b.do("POST", "/api/v1/prom/write?db=away", block(remoteSeries("up", 1)))
	b.writer.err = model.ErrUnavailable
	b.do("POST", "/api/v1/prom/write?db=db", block(remoteSeries("up", 1, 2)))
	w := b.do("GET", "/metrics", "").Body.String()
	for _, want := range []string{"\nhttp_write_points_total 3\n", "\nhttp_write_values_total 1\n", "\nhttp_write_failed_points_total 2\n"} {
		if !strings.Contains(w, want) {
			t.Errorf("no line %q in %s", want, w)
		}
	}
}

func TestAResultIsCountedAsInFlightUntilItIsSent(t *testing.T) {
	matcher := remoteMessage(2, "__name__") + remoteMessage(3, "up")
	good := block(remoteMessage(1, remoteMessage(3, matcher)))
	const limit = 200_000
	b := newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 50_000, 50_000, limit })
	rows, most := 0, int64(0)
	b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
		for i := range rows {
			if err := sink.Rows(&exec.Rows{Times: []int64{int64(i)}, Values: []model.Column{floats("value", 1)}, More: i < rows-1}); err != nil {
				return err
			}
			most = max(most, b.budget.used.Load())
		}
		return sink.End(query.Outcome{})
	}
	for _, c := range []struct {
		rows   int
		held   int64 // by other requests
		status int
	}{{1000, 0, 200}, {1000, limit - 20_000, 503}, {100_000, 0, 413}} {
		rows, most = c.rows, 0
		b.budget.used.Store(c.held)
		w := b.do("POST", "/api/v1/prom/read?db=db", good)
		if w.Code != c.status || most <= c.held+10_000 {
			t.Errorf("%d rows with %d bytes in flight: %d %s, at most %d bytes in flight", c.rows, c.held, w.Code, w.Body, most)
		}
		if used := b.budget.used.Load(); used != c.held {
			t.Errorf("%d bytes are in flight after it, want %d", used, c.held)
		}
	}
}

func TestABlockIsNotUnpackedBeyondTheLimits(t *testing.T) {
	large := block(remoteSeries(string(make([]byte, 100_000)), 1))
	b := newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes = 50_000, 50_000 })
	if w := b.do("POST", "/api/v1/prom/write?db=db", large); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a block that is too large: %d %s", w.Code, w.Body)
	}
	b = newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 50_000, 200_000, 200_000 })
	held := b.budget.used.Add(120_000)
	if w := b.do("POST", "/api/v1/prom/write?db=db", large); w.Code != http.StatusServiceUnavailable {
		t.Errorf("with %d bytes in flight: %d %s", held, w.Code, w.Body)
	}
}

func TestRemoteReadGetsTheAnswersOfInfluxDB(t *testing.T) {
	matcher := remoteMessage(2, "__name__") + remoteMessage(3, "up")
	good := block(remoteMessage(1, remoteMessage(3, matcher)))
	for _, c := range []struct {
		target, body string
		status       int
		want         string
	}{
		{"?db=db", "garbage", 400, `{"error":"snappy: corrupt input"}`},
		{"?db=db", block(""), 400, `{"error":"Prometheus read endpoint currently only supports one query at a time"}`},
		{"?db=db", block(remoteMessage(1, "")), 400, `{"error":"expected matcher"}`},
		{"", good, 400, `{"error":"no database"}`},
		{"?db=no", good, 400, `{"error":"no database"}`},
		{"?db=away", good, 503, `{"error":"metadata store unavailable"}`},
		{"?db=db&rp=no", good, 400, `{"error":"invalid retention policy"}`},
	} {
		if w := newBench(t, nil).do("POST", "/api/v1/prom/read"+c.target, c.body); w.Code != c.status || w.Body.String() != c.want+"\n" {
			t.Errorf("%s %q\n got  %d %s\n want %d %s", c.target, c.body, w.Code, w.Body, c.status, c.want)
		}
	}

	b := newBench(t, nil)
	var text string
	b.queries.answer = func(_ context.Context, r query.Request, sink query.Sink) error {
		text = r.Text
		tags := model.Tags{{Key: "__name__", Value: "up"}}
		if err := sink.Rows(&exec.Rows{Tags: tags, Times: []int64{1e6, 2e6}, Values: []model.Column{floats("value", 1, 2)}}); err != nil {
			return err
		}
		return sink.End(query.Outcome{})
	}
	w := b.do("POST", "/api/v1/prom/read?db=db", good)
	if want := block(remoteMessage(1, remoteSeries("up", 1, 2))); w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %q, want %q", w.Code, w.Body, want)
	}
	if h := w.Header(); h.Get("Content-Type") != "application/x-protobuf" || h.Get("Content-Encoding") != "snappy" {
		t.Errorf("header %v", h)
	}
	if want := `prometheus read {__name__="up"}`; text != want {
		t.Errorf("an operator sees %q, want %q", text, want)
	}
	b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
		return sink.End(query.Outcome{Err: &model.Error{Kind: model.ErrUnavailable, Text: "no owner"}})
	}
	if w := b.do("POST", "/api/v1/prom/read?db=db", good); w.Code != 503 {
		t.Errorf("an answer that is not whole: %d %s", w.Code, w.Body)
	}
}
