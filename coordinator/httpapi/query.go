package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// query answers /query. Parameters may be in the URL and in a form; those in
// the form come first, as in InfluxDB.
func (s *Server) query(c echo.Context) error {
	s.tallies.add(c, false)
	r := c.Request()
	if err := s.budget.memory.Queries(); err != nil {
		s.metrics.refused.WithLabelValues("memory").Inc()
		return s.fail(c, err)
	}
	if r.Body != http.NoBody {
		body := &form{ReadCloser: r.Body, budget: s.budget}
		defer body.release()
		r.Body = http.MaxBytesReader(c.Response(), body, s.cfg.MaxBodyBytes)
	}
	text, err := queryText(r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.abortStalled()
	}
	if r.MultipartForm != nil {
		defer r.MultipartForm.RemoveAll() //nolint:errcheck // nothing to be done about it
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return s.fail(c, s.tooLarge(c))
	} else if errors.Is(err, model.ErrOverloaded) {
		return s.fail(c, errTooMuchInFlight)
	} else if err != nil {
		return s.fail(c, invalid(err.Error()))
	}
	if text == "" {
		return s.fail(c, invalid(`missing required parameter "q"`))
	}
	params, err := queryParams(r.FormValue("params"))
	if err != nil {
		return s.fail(c, err)
	}
	consistency, err := readConsistency(r.FormValue("read_consistency"))
	if err != nil {
		return s.fail(c, err)
	}
	partial := r.FormValue("partial") == "true"
	if partial && !accepted(r).saysPartial {
		return s.fail(c, invalid("partial=true needs an answer in JSON or MessagePack, which can say that it is partial"))
	}
	q, err := s.parts.Queries.Parse(s.asked(c, query.Request{
		Text:        text,
		Params:      params,
		Database:    r.FormValue("db"),
		Policy:      r.FormValue("rp"),
		Consistency: consistency,
		Partial:     partial,
		Extensions:  r.FormValue("extensions") == "true",
		Level:       r.FormValue("consistency"),
		ReadOnly:    r.Method == http.MethodGet,
		ChunkSize:   chunkSize(r),
	}))
	if err != nil {
		return s.fail(c, err)
	}
	if r.FormValue("async") == "true" {
		s.runAside(q)
		c.Response().Header().Set(echo.HeaderContentType, accepted(r).contentType)
		return c.NoContent(http.StatusNoContent)
	}
	return s.answer(c, q)
}

// asked says in a request who asks.
func (s *Server) asked(c echo.Context, r query.Request) query.Request {
	r.User = userOf(c)
	r.Renew = func() (query.User, error) { return s.renew(c) }
	r.Address = c.Request().RemoteAddr
	r.ID = c.Response().Header().Get(echo.HeaderXRequestID)
	r.Foreign = s.foreign(c.Request())
	return r
}

// queryText gives the text from parameter q, or from an uploaded file q; "" is
// none. A form that cannot be read counts as one without q.
func queryText(r *http.Request) (string, error) {
	err := r.ParseForm() // whose error ParseMultipartForm may hide
	if err == nil {
		err = r.ParseMultipartForm(32 << 20)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, model.ErrOverloaded) {
			return "", err
		}
	}
	if q := strings.TrimSpace(r.FormValue("q")); q != "" {
		return q, nil
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["q"]) == 0 {
		return "", nil
	}
	f, err := r.MultipartForm.File["q"][0].Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

// queryParams reads the values for $name, numbers as int64 or float64.
func queryParams(s string) (map[string]any, error) {
	if s == "" {
		return nil, nil
	}
	var params map[string]any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(&params); err != nil {
		return nil, invalid("error parsing query parameters: " + err.Error())
	}
	for k, v := range params {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		var err error
		if strings.Contains(string(n), ".") {
			params[k], err = n.Float64()
		} else {
			params[k], err = n.Int64()
		}
		if err != nil {
			return nil, invalid("error parsing json value: " + err.Error())
		}
	}
	return params, nil
}

// readConsistency reads the parameter of that name.
func readConsistency(s string) (query.ReadConsistency, error) {
	switch strings.ToLower(s) {
	case "":
		return query.ReadDefault, nil
	case "one":
		return query.ReadOne, nil
	case "quorum":
		return query.ReadQuorum, nil
	}
	return query.ReadDefault, invalid("invalid read consistency: it is one or quorum")
}

// chunkSize gives the rows of a chunk, 0 for an answer in one piece.
func chunkSize(r *http.Request) int {
	if r.FormValue("chunked") != "true" {
		return 0
	}
	n, err := strconv.Atoi(r.FormValue("chunk_size"))
	if err != nil || n <= 0 {
		return query.DefaultChunkSize
	}
	return n
}

// answer runs q and sends its results as they come.
func (s *Server) answer(c echo.Context, q *query.Query) error {
	r := c.Request()
	f := accepted(r)
	c.Response().Header().Set(echo.HeaderContentType, f.contentType)
	out := s.newOutput(c)
	defer s.release(out)
	opt := encoding{
		chunked: r.FormValue("chunked") == "true",
		pretty:  pretty(r),
		epoch:   epochUnit(strings.TrimSpace(r.FormValue("epoch"))),
	}
	enc := f.encoder(out, opt)
	var sink query.Sink = enc
	if s.cfg.MaxRowLimit > 0 && !opt.chunked {
		sink = &rowLimit{encoder: enc, left: s.cfg.MaxRowLimit}
	}
	err := s.parts.Queries.Execute(r.Context(), q, &passing{Sink: sink, out: out})
	switch {
	case err == nil || errors.Is(err, errRowLimit):
	case !out.started && errors.Is(err, errMsgpackTooLarge):
		return s.failWith(c, http.StatusBadRequest, err.Error())
	case !out.started && r.Context().Err() == nil:
		return s.fail(c, err)
	default:
		// A client must not take half an answer for a whole one.
		panic(http.ErrAbortHandler)
	}
	if err := enc.close(); err == nil {
		err = out.finish()
		if err != nil {
			s.log.Debug("answer not sent", "error", err)
		}
	}
	return nil
}

func (s *Server) newOutput(c echo.Context) *output {
	out := &output{w: c.Response(), control: http.NewResponseController(c.Response()), stall: s.cfg.StallTimeout}
	if b, ok := s.buffers.Get().(*[]byte); ok {
		out.buf = (*b)[:0]
	}
	if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		out.zip, _ = s.zips.Get().(*gzip.Writer)
		if out.zip == nil {
			out.zip = gzip.NewWriter(nil)
		}
	}
	return out
}

// release keeps what the next answer can use.
func (s *Server) release(out *output) {
	if cap(out.buf) <= keepBytes {
		s.buffers.Put(&out.buf)
	}
	if out.zip != nil {
		s.zips.Put(out.zip)
	}
}

// runAside runs q without an answer. Shutdown waits for it.
func (s *Server) runAside(q *query.Query) {
	s.background.Go(func() {
		sink := &logErrors{server: s}
		if err := s.parts.Queries.Execute(s.base, q, sink); err != nil {
			s.log.Warn("asynchronous query failed", "error", err)
		}
	})
}

// logErrors drops results and logs the first error.
type logErrors struct {
	server *Server
	failed bool
}

func (*logErrors) Begin(query.Statement) error { return nil }
func (*logErrors) Rows(*exec.Rows) error       { return nil }
func (l *logErrors) End(o query.Outcome) error {
	if o.Err != nil && !l.failed {
		l.failed = true
		l.server.log.Warn("statement of an asynchronous query failed", "error", o.Err)
	}
	return nil
}

var errRowLimit = errors.New("row limit reached")

// rowLimit ends an answer after a number of rows and marks it as partial: the
// series when it is cut within one, else the result.
type rowLimit struct {
	encoder
	left int
}

func (l *rowLimit) Begin(s query.Statement) error {
	if err := l.encoder.Begin(s); err != nil || l.left > 0 {
		return err
	}
	return l.stop()
}

func (l *rowLimit) Rows(r *exec.Rows) error {
	n := r.Len()
	if n <= l.left {
		l.left -= n
		return l.encoder.Rows(r)
	}
	if l.left == 0 {
		return l.stop()
	}
	cut := first(r, l.left)
	cut.More = true
	if err := l.encoder.Rows(cut); err != nil {
		return err
	}
	if err := l.encoder.End(query.Outcome{}); err != nil {
		return err
	}
	return errRowLimit
}

func (l *rowLimit) stop() error {
	l.partial()
	if err := l.encoder.End(query.Outcome{}); err != nil {
		return err
	}
	return errRowLimit
}

// first gives the first n rows of r.
func first(r *exec.Rows, n int) *exec.Rows {
	out := *r
	if r.Times != nil {
		out.Times = r.Times[:n]
	}
	out.Values = nil
	for _, c := range r.Values {
		if c.Bits != nil {
			c.Bits = c.Bits[:n]
		}
		if c.Ends != nil {
			c.Ends = c.Ends[:n]
		}
		out.Values = append(out.Values, c)
	}
	return &out
}
