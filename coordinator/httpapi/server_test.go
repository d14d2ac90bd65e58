package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// fakeWriter records what is written and answers with err.
type fakeWriter struct {
	got  []coordinator.WriteRequest
	rows int
	err  error
	hook func(ctx context.Context)
	keep bool // the batch is not released yet when Write returns
}

func (w *fakeWriter) Write(ctx context.Context, r coordinator.WriteRequest) error {
	w.got = append(w.got, r)
	w.rows += r.Batch.Rows()
	if w.hook != nil {
		w.hook(ctx)
	}
	if !w.keep {
		r.Release()
	}
	return w.err
}

// fakeQueries answers by the text of the request.
type fakeQueries struct {
	requests map[*query.Query]query.Request
	answer   func(ctx context.Context, r query.Request, sink query.Sink) error
}

func (f *fakeQueries) Parse(r query.Request) (*query.Query, error) {
	if strings.HasPrefix(r.Text, "garbage") {
		return nil, invalid("error parsing query: found garbage")
	}
	q := new(query.Query)
	f.requests[q] = r
	return q, nil
}

func (f *fakeQueries) Make(r query.Request, statements ...influxql.Statement) (*query.Query, error) {
	q := new(query.Query)
	r.Text = influxql.Statements(statements).String()
	f.requests[q] = r
	return q, nil
}

func (f *fakeQueries) Points(r query.Request, p query.Points) (*query.Query, error) {
	q := new(query.Query)
	r.Text = p.Text
	f.requests[q] = r
	return q, nil
}

func (f *fakeQueries) Execute(ctx context.Context, q *query.Query, sink query.Sink) error {
	return f.answer(ctx, f.requests[q], sink)
}

type fakeDatabases struct{}

func (fakeDatabases) Databases(context.Context) ([]*query.Database, error) {
	return []*query.Database{theDatabase}, nil
}

var theDatabase = &query.Database{Name: "db", DefaultPolicy: "autogen", Policies: []query.Policy{
	{Name: "autogen", ShardDuration: 168 * time.Hour}, {Name: "day", Duration: 24 * time.Hour, ShardDuration: time.Hour}, {Name: "x/y", ShardDuration: time.Hour},
}}

func (fakeDatabases) Database(_ context.Context, name string) (*query.Database, error) {
	switch name {
	case "db":
		return theDatabase, nil
	case "away":
		return nil, &model.Error{Kind: model.ErrUnavailable, Text: "metadata store unavailable"}
	}
	return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found: " + name}
}

type bench struct {
	*Server
	writer  *fakeWriter
	queries *fakeQueries
	logged  *bytes.Buffer
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	b := &bench{
		writer:  &fakeWriter{},
		queries: &fakeQueries{requests: make(map[*query.Query]query.Request), answer: twoSeries},
		logged:  new(bytes.Buffer),
	}
	var err error
	b.Server, err = New(cfg, Parts{
		Parser:    lineprotocol.NewParser(lineprotocol.DefaultConfig()),
		Writer:    b.writer,
		Queries:   b.queries,
		Databases: fakeDatabases{},
		Registry:  prometheus.NewRegistry(),
		Log:       slog.New(slog.NewTextHandler(b.logged, nil)),
		Version:   "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(name string, vs ...float64) model.Column {
	c := model.Column{Field: model.Field{Name: name, Type: model.Float}}
	for _, v := range vs {
		c.AppendBits(floatBits(v))
	}
	return c
}

// twoSeries answers each statement with two series of two pieces and one piece.
func twoSeries(_ context.Context, _ query.Request, sink query.Sink) error {
	if err := sink.Begin(query.Statement{ID: 0, Partial: true}); err != nil {
		return err
	}
	columns := []string{"time", "v"}
	for _, r := range []*exec.Rows{
		{Name: "m", Tags: model.Tags{{Key: "h", Value: "a"}}, Columns: columns, Times: []int64{-1, 1_500_000_000}, Values: []model.Column{floats("v", 1, 2.5)}, More: true},
		{Name: "m", Tags: model.Tags{{Key: "h", Value: "a"}}, Columns: columns, Times: []int64{2_000_000_000}, Values: []model.Column{floats("v", 3)}},
		{Name: "m", Tags: model.Tags{{Key: "h", Value: "b,c"}}, Columns: columns, Times: []int64{3_000_000_000}, Values: []model.Column{floats("v", 4)}},
	} {
		if err := sink.Rows(r); err != nil {
			return err
		}
	}
	return sink.End(query.Outcome{})
}

func (b *bench) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

// TestPointsAreCountedWhereJoinedRowsCannotBe writes lines that share a row,
// which the writer refuses for what it cannot store.
func TestPointsAreCountedWhereJoinedRowsCannotBe(t *testing.T) {
	b := newBench(t, nil)
	var rows []int
	b.writer.hook = func(context.Context) {
		joined := b.writer.got[len(b.writer.got)-1]
		rows = append(rows, joined.Batch.Rows())
		b.writer.err = &coordinator.PartialWriteError{Reason: "refused", Dropped: 1}
		if joined.Joined {
			b.writer.err = coordinator.ErrJoined
		}
	}
	r := b.do("POST", "/write?db=db", "m a=1 1\nm b=2 1\nm a=1 2")
	if want := `{"error":"partial write: refused dropped=1"}` + "\n"; r.Code != 400 || r.Body.String() != want {
		t.Errorf("answer is %d %s", r.Code, r.Body)
	}
	if !slices.Equal(rows, []int{2, 3}) {
		t.Errorf("rows written: %v, want 2 joined and then 3", rows)
	}
	if used := b.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still counted as in flight", used)
	}
}

func TestRequestsGetTheAnswersOfInfluxDB(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, target, body string
		header               []string
		status               int
		want                 string
		wantHeader           []string
	}{
		{"GET", "/ping", "", nil, 204, "", []string{"X-Influxdb-Version", "1.8.10", "X-Influxdb-Build", "Varve", "Content-Type", "application/json"}},
		{"HEAD", "/ping", "", nil, 204, "", nil},
		{"GET", "/ping?verbose=true", "", nil, 200, `{"version":"1.8.10"}`, nil},
		{"GET", "/ping?verbose=0", "", nil, 204, "", nil},
		{"GET", "/status", "", nil, 204, "", nil},
		{"GET", "/health", "", nil, 200, `{"checks":[],"message":"ready for queries and writes","name":"influxdb","status":"pass","version":"1.8.10"}`, []string{"Content-Type", "application/json"}},
		{"POST", "/ping", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "GET, HEAD", "Content-Type", "text/plain; charset=utf-8", "Request-Id", "", "X-Influxdb-Version", "1.8.10"}},
		{"OPTIONS", "/ping", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "GET, HEAD"}},
		{"PUT", "/query", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "OPTIONS, GET, POST"}},
		{"HEAD", "/query", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "OPTIONS, GET, POST"}},
		{"BREW", "/query", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "OPTIONS, GET, POST"}},
		{"GET", "/write", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "OPTIONS, POST"}},
		{"GET", "/api/v2/write", "", nil, 405, "Method Not Allowed\n", []string{"Allow", "POST"}},
		{"GET", "/", "", nil, 404, "404 page not found\n", []string{"Content-Type", "text/plain; charset=utf-8", "X-Content-Type-Options", "nosniff"}},
		{"GET", "//query?q=x", "", nil, 404, "404 page not found\n", nil},
		{"GET", "/query/?q=x", "", nil, 404, "404 page not found\n", nil},
		{"POST", "/api/v2/query", "x", nil, 403, "Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB config.\n", []string{"Content-Type", "text/plain; charset=utf-8"}},
		{"OPTIONS", "/query", "", nil, 200, "", []string{"Content-Type", ""}},
		{
			"OPTIONS", "/write", "", []string{"Origin", "http://e.com"}, 200, "", []string{
				"Access-Control-Allow-Origin", "http://e.com",
				"Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, POST, PUT",
				"Access-Control-Expose-Headers", "Date, X-InfluxDB-Version, X-InfluxDB-Build",
			},
		},
		{"GET", "/ping", "", []string{"X-Request-Id", "mine"}, 204, "", []string{"X-Request-Id", "mine", "Request-Id", "mine"}},

		{"POST", "/write", "m v=1", nil, 400, `{"error":"database is required"}` + "\n", []string{"X-Influxdb-Error", "database is required"}},
		{"POST", "/write?db=no", "m v=1", nil, 404, `{"error":"database not found: \"no\""}` + "\n", nil},
		{"POST", "/write?db=away", "m v=1", nil, 503, `{"error":"metadata store unavailable"}` + "\n", []string{"Retry-After", "1"}},
		{"POST", "/write?db=db", "m v=1 1\n", nil, 204, "", []string{"Content-Type", "application/json"}},
		{"POST", "/write?db=db", "", nil, 204, "", nil},
		{"POST", "/write?db=db", "# comment\n", nil, 204, "", nil},
		{"POST", "/write?db=db&precision=us", "m v=1 1", nil, 400, `{"error":"invalid precision \"us\" (use n, u, ms, s, m or h)"}` + "\n", nil},
		{"POST", "/write?db=db&consistency=foo", "m v=1 1", nil, 400, `{"error":"invalid consistency level"}` + "\n", nil},
		{"POST", "/write?db=db", "bad", nil, 400, `{"error":"unable to parse 'bad': missing fields"}` + "\n", nil},
		{"POST", "/write?db=db", "bad\nm v=1 1", nil, 400, `{"error":"partial write: unable to parse 'bad': missing fields dropped=0"}` + "\n", nil},
		{"POST", "/write?db=db", "a\nb", nil, 400, `{"error":"unable to parse 'a': missing fields\nunable to parse 'b': missing fields"}` + "\n", []string{"X-Influxdb-Error", "unable to parse 'a': missing fields unable to parse 'b': missing fields"}},
		{"POST", "/write?db=db", "m,time=1 v=1 1", nil, 400, `{"error":"partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1"}` + "\n", nil},
		{"POST", "/write?db=db", "bad", []string{"Accept", "text/csv"}, 400, "error\nunable to parse 'bad': missing fields\n", []string{"Content-Type", "text/csv"}},
		{"POST", "/write?db=db&pretty=true", "bad", nil, 400, "{\n    \"error\": \"unable to parse 'bad': missing fields\"\n}\n", nil},
		{"POST", "/write?db=db", "not gzip", []string{"Content-Encoding", "gzip"}, 400, `{"error":"unexpected EOF"}` + "\n", nil},
		{"POST", "/api/v2/write?bucket=", "", nil, 404, `{"error":"bucket name \"\" is missing a slash; not in \"database/retention-policy\" format"}` + "\n", nil},
		{"POST", "/api/v2/write?bucket=/rp", "", nil, 404, `{"error":"bucket name \"/rp\" is in db/rp form but has an empty database"}` + "\n", nil},
		{"POST", "/api/v2/write?bucket=db/a/b&precision=us", "m v=1 1", nil, 204, "", nil},
		{"POST", "/api/v2/write?bucket=db&precision=m", "m v=1 1", nil, 400, `{"error":"invalid precision \"m\" (use ns, us, ms or s)"}` + "\n", nil},

		{"GET", "/query", "", nil, 400, `{"error":"missing required parameter \"q\""}` + "\n", nil},
		{"GET", "/query?q=%20", "", nil, 400, `{"error":"missing required parameter \"q\""}` + "\n", nil},
		{"GET", "/query?q=%zz", "", nil, 400, `{"error":"missing required parameter \"q\""}` + "\n", nil},
		{"GET", "/query?q=garbage", "", nil, 400, `{"error":"error parsing query: found garbage"}` + "\n", nil},
		{"GET", "/query?q=garbage", "", []string{"Accept-Encoding", "gzip"}, 400, `{"error":"error parsing query: found garbage"}` + "\n", []string{"Content-Encoding", ""}},
		{"GET", "/query?q=x&params=x", "", nil, 400, `{"error":"error parsing query parameters: invalid character 'x' looking for beginning of value"}` + "\n", nil},
		{"POST", "/query?q=x&async=true", "", nil, 204, "", []string{"Content-Type", "application/json"}},
		{"POST", "/query", "q=x", []string{"Content-Type", form}, 200, `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[["1969-12-31T23:59:59.999999999Z",1],["1970-01-01T00:00:01.5Z",2.5],["1970-01-01T00:00:02Z",3]]},{"name":"m","tags":{"h":"b,c"},"columns":["time","v"],"values":[["1970-01-01T00:00:03Z",4]]}]}]}` + "\n", []string{"Content-Type", "application/json"}},
		{"GET", "/query?q=x&epoch=ms", "", nil, 200, `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[0,1],[1500,2.5],[2000,3]]},{"name":"m","tags":{"h":"b,c"},"columns":["time","v"],"values":[[3000,4]]}]}]}` + "\n", nil},
		{"GET", "/query?q=x&epoch=s&chunked=true", "", nil, 200, `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[0,1],[1,2.5]],"partial":true}],"partial":true}]}
{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[2,3]]}],"partial":true}]}
{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"b,c"},"columns":["time","v"],"values":[[3,4]]}]}]}
`, nil},
		{"GET", "/query?q=x", "", []string{"Accept", "application/json;q=0.5, text/csv"}, 200, "name,tags,time,v\nm,h=a,-1,1\nm,h=a,1500000000,2.5\nm,h=a,2000000000,3\nm,\"h=b\\,c\",3000000000,4\n", []string{"Content-Type", "text/csv"}},
		{"GET", "/query?q=x", "", []string{"Accept", "text/html"}, 200, `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[["1969-12-31T23:59:59.999999999Z",1],["1970-01-01T00:00:01.5Z",2.5],["1970-01-01T00:00:02Z",3]]},{"name":"m","tags":{"h":"b,c"},"columns":["time","v"],"values":[["1970-01-01T00:00:03Z",4]]}]}]}` + "\n", []string{"Content-Type", "application/json"}},
	} {
		name := c.method + " " + c.target + " " + strings.Join(c.header, " ")
		w := newBench(t, nil).do(c.method, c.target, c.body, c.header...)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s\n got  %d %s\n want %d %s", name, w.Code, w.Body, c.status, c.want)
		}
		for i := 0; i < len(c.wantHeader); i += 2 {
			if got := w.Header().Get(c.wantHeader[i]); got != c.wantHeader[i+1] {
				t.Errorf("%s: %s is %q, want %q", name, c.wantHeader[i], got, c.wantHeader[i+1])
			}
		}
	}
}

func TestParametersReachTheQuery(t *testing.T) {
	b := newBench(t, nil)
	var got query.Request
	b.queries.answer = func(_ context.Context, r query.Request, _ query.Sink) error { got = r; return nil }
	w := b.do("POST", "/query?db=url&rp=p&chunked=true&chunk_size=5", url.Values{"q": {" SELECT 1 "}, "db": {"form"}, "params": {`{"a":1,"b":1.5,"c":"s"}`}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
	want := query.Request{Text: "SELECT 1", Database: "form", Policy: "p", ChunkSize: 5}
	if got.Text != want.Text || got.Database != want.Database || got.Policy != want.Policy || got.ChunkSize != want.ChunkSize || got.ReadOnly {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if fmt.Sprint(got.Params) != "map[a:1 b:1.5 c:s]" || fmt.Sprintf("%T %T", got.Params["a"], got.Params["b"]) != "int64 float64" {
		t.Errorf("params %v", got.Params)
	}
	if w.Code != 200 || w.Body.String() != "" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	file := "--X\r\nContent-Disposition: form-data; name=\"q\"; filename=\"f\"\r\n\r\nSELECT 2\r\n--X--\r\n"
	b.do("POST", "/query?db=x", file, "Content-Type", "multipart/form-data; boundary=X")
	if got.Text != "SELECT 2" {
		t.Errorf("uploaded text is %q", got.Text)
	}
	b.do("GET", "/query?q=x&chunked=true&chunk_size=-1", "")
	if got.ChunkSize != query.DefaultChunkSize || !got.ReadOnly {
		t.Errorf("GET: got %+v", got)
	}
}

func TestErrorsOfTheWriterKeepTheContractWithTelegraf(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{&coordinator.PartialWriteError{Reason: "points beyond retention policy", Dropped: 3}, 400, "partial write: points beyond retention policy dropped=3"},
		{&model.Error{Kind: model.ErrUnavailable, Text: "write failed"}, 503, "write failed"},
		{&model.Error{Kind: model.ErrOverloaded, Text: "busy"}, 503, "busy"},
		{fmt.Errorf("write: %w", model.ErrReadOnly), 503, "write: shard takes no more writes"},
		{fmt.Errorf("write: %w", context.DeadlineExceeded), 503, "timeout"},
		{&model.Error{Kind: coordinator.ErrPolicyNotFound, Text: "retention policy not found: p"}, 500, "retention policy not found: p"},
		{&model.Error{Kind: model.ErrNotFound, Text: `database not found: "db"`}, 404, `database not found: "db"`},
		{errors.New("disk on fire"), 500, "disk on fire"},
		{fmt.Errorf("read block: %w", model.ErrCorrupt), 500, "read block: corrupt"},
	} {
		b := newBench(t, nil)
		b.writer.err = c.err
		w := b.do("POST", "/write?db=db", "m v=1 1")
		if w.Code != c.status || w.Header().Get("X-Influxdb-Error") != c.text || (c.status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: got %d %v", c.err, w.Code, w.Header())
		}
	}
}

func TestDropsOfParserAndWriterAreCountedTogether(t *testing.T) {
	b := newBench(t, nil)
	b.writer.err = &coordinator.PartialWriteError{Reason: "points beyond retention policy", Dropped: 3}
	w := b.do("POST", "/write?db=db", "m,time=1 v=1 1\nm v=1 1\nbad")
	want := `partial write: invalid tag key: input tag "time" on measurement "m" is invalid dropped=4`
	if got := w.Header().Get("X-Influxdb-Error"); w.Code != 400 || got != want {
		t.Errorf("got %d %s, want %s", w.Code, got, want)
	}
}

func TestPanicsAreAnsweredAndLogged(t *testing.T) {
	b := newBench(t, nil)
	b.writer.hook = func(context.Context) { panic("boom") }
	if w := b.do("POST", "/write?db=db", "m v=1 1"); w.Code != 500 || w.Body.String() != `{"error":"internal error"}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(b.logged.String(), "boom") {
		t.Errorf("the log does not say what happened: %s", b.logged)
	}
	if used := b.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still counted as in flight", used)
	}
}

func TestRowLimitCutsAndMarks(t *testing.T) {
	for limit, want := range map[int]string{
		2: `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[-1,1],[1500000000,2.5]],"partial":true}],"partial":true}]}`,
		1: `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[-1,1]],"partial":true}]}]}`,
		3: `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[-1,1],[1500000000,2.5],[2000000000,3]]}],"partial":true}]}`,
		4: `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[[-1,1],[1500000000,2.5],[2000000000,3]]},{"name":"m","tags":{"h":"b,c"},"columns":["time","v"],"values":[[3000000000,4]]}]}]}`,
	} {
		b := newBench(t, func(c *Config) { c.MaxRowLimit = limit })
		if w := b.do("GET", "/query?q=x&epoch=n", ""); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("limit %d\n got  %s\n want %s", limit, w.Body, want)
		}
	}
}

func TestErrorsAndMessagesOfStatementsAreShown(t *testing.T) {
	b := newBench(t, nil)
	b.queries.answer = func(ctx context.Context, r query.Request, sink query.Sink) error {
		for id, o := range []query.Outcome{
			{Messages: []query.Message{{Level: "warning", Text: "a <b>"}}},
			{Err: errors.New("undefined function nosuch()")},
		} {
			if err := errors.Join(sink.Begin(query.Statement{ID: id}), sink.End(o)); err != nil {
				return err
			}
		}
		return nil
	}
	for target, want := range map[string]string{
		"/query?q=x":              `{"results":[{"statement_id":0,"messages":[{"level":"warning","text":"a \u003cb\u003e"}]},{"statement_id":1,"error":"undefined function nosuch()"}]}` + "\n",
		"/query?q=x&chunked=true": `{"results":[{"statement_id":0,"messages":[{"level":"warning","text":"a \u003cb\u003e"}]}]}` + "\n" + `{"results":[{"statement_id":1,"error":"undefined function nosuch()"}]}` + "\n",
	} {
		if w := b.do("GET", target, ""); w.Body.String() != want {
			t.Errorf("%s\n got  %s\n want %s", target, w.Body, want)
		}
	}
	b.queries.answer = func(context.Context, query.Request, query.Sink) error {
		return &model.Error{Kind: model.ErrOverloaded, Text: "too many queries"}
	}
	if w := b.do("GET", "/query?q=x", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("overloaded: got %d %s", w.Code, w.Body)
	}
}

func TestTroubleThatPassesIsTheStatusWhenItComesFirst(t *testing.T) {
	away := query.Outcome{Err: fmt.Errorf("create database: %w", &model.Error{Kind: model.ErrUnavailable, Text: "metadata store unavailable"})}
	rows := &exec.Rows{Name: "m", Columns: []string{"time", "v"}, Times: []int64{1}, Values: []model.Column{floats("v", 1)}}
	for _, c := range []struct {
		name     string
		target   string
		outcomes []query.Outcome
		rows     bool // before the first outcome
		status   int
	}{
		{"first", "/query?q=x", []query.Outcome{away, {Err: errors.New("not executed")}}, false, 503},
		{"first, with rows not sent yet", "/query?q=x", []query.Outcome{away}, true, 503},
		{"first, with rows sent", "/query?q=x&chunked=true", []query.Outcome{away}, true, 200},
		{"second", "/query?q=x", []query.Outcome{{}, away}, false, 200},
		{"trouble that stays", "/query?q=x", []query.Outcome{{Err: errors.New("no")}}, false, 200},
	} {
		b := newBench(t, nil)
		b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
			for id, o := range c.outcomes {
				if err := sink.Begin(query.Statement{ID: id}); err != nil {
					return err
				}
				if c.rows { // a chunk is sent when the next one comes
					if err := errors.Join(sink.Rows(rows), sink.Rows(rows)); err != nil {
						return err
					}
				}
				if err := sink.End(o); err != nil {
					return err
				}
			}
			return nil
		}
		w := b.do("POST", c.target, "")
		if w.Code != c.status || (w.Header().Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s: got %d %v %s, want %d", c.name, w.Code, w.Header(), w.Body, c.status)
		}
	}
}

func TestAnErrorAmongRowsIsNotSilent(t *testing.T) {
	b := newBench(t, nil)
	b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
		return errors.Join(
			sink.Begin(query.Statement{Partial: true}),
			sink.Rows(&exec.Rows{Name: "m", Columns: []string{"time", "v"}, Times: []int64{1}, Values: []model.Column{floats("v", 1)}, More: true}),
			sink.End(query.Outcome{Err: errors.New("shard lost")}),
		)
	}
	for target, want := range map[string]string{
		"/query?q=x&epoch=n":              `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,1]],"partial":true}],"error":"shard lost"}]}` + "\n",
		"/query?q=x&epoch=n&chunked=true": `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,1]],"partial":true}],"partial":true}]}` + "\n" + `{"results":[{"statement_id":0,"error":"shard lost"}]}` + "\n",
	} {
		if w := b.do("GET", target, ""); w.Body.String() != want {
			t.Errorf("%s\n got  %s\n want %s", target, w.Body, want)
		}
	}
}

func TestAnswersAreCompressedOnRequest(t *testing.T) {
	b := newBench(t, nil)
	for range 3 { // the writers are used again
		w := b.do("GET", "/query?q=x&epoch=s", "", "Accept-Encoding", "deflate, gzip")
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("no gzip: %v", w.Header())
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !strings.HasPrefix(string(got), `{"results":[{"statement_id":0`) || !strings.HasSuffix(string(got), "}]}\n") {
			t.Fatalf("got %s, %v", got, err)
		}
	}
}

func TestMetricsSayWhatRuns(t *testing.T) {
	b := newBench(t, nil)
	b.do("POST", "/write?db=db", "m v=1 1\nbad")
	w := b.do("GET", "/metrics", "")
	for _, want := range []string{`varve_build_info{goversion="go`, `http_requests_total{path="/write",status="400"} 1`, `http_write_lines_total 2`, `http_write_dropped_total 1`, `http_write_refused_total{reason="missing fields"} 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
}

func TestShutdownAnswersWhatRuns(t *testing.T) {
	b := newBench(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	b.queries.answer = func(ctx context.Context, r query.Request, sink query.Sink) error {
		entered <- struct{}{}
		<-leave
		return twoSeries(ctx, r, sink)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(l) }()
	base := "http://" + l.Addr().String()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(base + "/query?q=x")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answered <- fmt.Sprint(string(body), err)
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- b.Shutdown(t.Context()) }()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	close(leave)
	if got := <-answered; !strings.HasSuffix(got, "}]}\n<nil>") {
		t.Errorf("the running query got %s", got)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

func TestShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	b := newBench(t, nil)
	entered := make(chan struct{})
	b.queries.answer = func(ctx context.Context, _ query.Request, _ query.Sink) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}
	b.do("POST", "/query?q=x&async=true", "")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestAClientThatGoesAwayEndsItsQuery(t *testing.T) {
	b := newBench(t, nil)
	entered, ended := make(chan struct{}), make(chan error, 1)
	b.queries.answer = func(ctx context.Context, _ query.Request, _ query.Sink) error {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	server := httptest.NewServer(b.Handler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/query?q=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Error("got an answer")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the query ended with %v", err)
	}
}

func TestAnAnswerThatFailsHalfWayIsNotTakenForWhole(t *testing.T) {
	b := newBench(t, nil)
	b.queries.answer = func(ctx context.Context, r query.Request, sink query.Sink) error {
		if err := twoSeries(ctx, r, sink); err != nil {
			return err
		}
		return errors.New("lost")
	}
	server := httptest.NewServer(b.Handler())
	defer server.Close()
	resp, err := http.Get(server.URL + "/query?q=x&chunked=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got %s as a whole answer", body)
	}
	if !strings.Contains(b.do("GET", "/metrics", "").Body.String(), `http_requests_total{path="/query",status="aborted"} 1`) {
		t.Error("the metrics do not count it")
	}
}
