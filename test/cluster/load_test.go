package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is clients that write and read and know what was acknowledged.
type load struct {
	t           *testing.T
	db          string
	urls        []string // tried in this order, from another one on for each client
	consistency string   // of writes
	strict      bool     // reads at quorum, which miss nothing
	lag         time.Duration

	client  http.Client
	writers []*rowWriter
	done    sync.WaitGroup
	stop    context.CancelFunc

	began    time.Time
	rows     atomic.Int64 // acknowledged
	answers  atomic.Int64 // of queries, checked
	checked  atomic.Int64 // rows in them that had to be there
	retries  atomic.Int64 // requests that were sent to a second address
	mu       sync.Mutex
	failures []failure
	wrong    []string
}

// failure is a request that no address answered with success.
type failure struct {
	at   time.Duration // since the load began
	what string
}

// batchRows is the rows of a write; a row's time is its number in milliseconds
// after base.
const batchRows = 20

var base = time.Now().Add(-30 * time.Minute).Truncate(time.Second)

// rowWriter writes the rows 0, 1, 2 … of one series, whose values are their
// numbers.
type rowWriter struct {
	id int

	mu    sync.Mutex
	acked []ack // by number of the batch
}

// ack is when a batch was acknowledged; zero if it was not.
type ack struct{ at time.Time }

// startLoad begins with writers and readers that go on until finish.
func startLoad(t *testing.T, l *load, writers, readers int) *load {
	t.Helper()
	l.t, l.began = t, time.Now()
	l.client = http.Client{
		Timeout:   12 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Second},
	}
	if l.lag == 0 {
		l.lag = 5 * time.Second
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	for i := range writers {
		w := &rowWriter{id: i}
		l.writers = append(l.writers, w)
		l.done.Go(func() { l.write(ctx, w) })
	}
	for i := range readers {
		l.done.Go(func() { l.read(ctx, i) })
	}
	return l
}

// finish ends the clients and fails the test for every wrong answer.
func (l *load) finish() {
	l.t.Helper()
	l.stop()
	l.done.Wait()
	for i, w := range l.wrong {
		if i == 10 {
			l.t.Errorf("… and %d more", len(l.wrong)-i)
			break
		}
		l.t.Error(w)
	}
	l.t.Logf("%d rows acknowledged, %d answers checked with %d rows due, %d requests went to a second address, %d failed",
		l.rows.Load(), l.answers.Load(), l.checked.Load(), l.retries.Load(), len(l.failures))
}

// since gives the time since the load began.
func (l *load) since() time.Duration { return time.Since(l.began) }

// failedAfter gives the requests that failed from then on.
func (l *load) failedAfter(at time.Duration) []failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.failures), func(f failure) bool { return f.at < at })
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, failure{l.since(), what})
}

func (l *load) accuse(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf("after %v: ", l.since().Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// do sends a request to one address after the other until one gives a 2xx. Only
// a connection that fails sends it on: an answer is an answer.
func (l *load) do(ctx context.Context, first int, send func(url string) (*http.Request, error)) ([]byte, string, bool) {
	var last string
	for i := range l.urls {
		at := l.urls[(first+i)%len(l.urls)]
		if i > 0 {
			l.retries.Add(1)
		}
		req, err := send(at)
		if err != nil {
			l.accuse("%v", err)
			return nil, at, false
		}
		resp, err := l.client.Do(req.WithContext(ctx))
		if err != nil {
			last = fmt.Sprintf("%s %s: %v", req.Method, at, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			last = fmt.Sprintf("%s %s: %v", req.Method, at, err)
			continue
		case resp.StatusCode/100 == 2:
			return body, at, true
		}
		last = fmt.Sprintf("%s %s: %s: %s", req.Method, at, resp.Status, bytes.TrimSpace(body))
		if resp.StatusCode/100 == 4 {
			l.accuse("%s", last)
		}
		if resp.StatusCode != http.StatusServiceUnavailable {
			break
		}
	}
	if ctx.Err() == nil {
		l.fail(last)
	}
	return nil, "", false
}

func (l *load) write(ctx context.Context, w *rowWriter) {
	for n := 0; ctx.Err() == nil; n++ {
		var body bytes.Buffer
		for i := range batchRows {
			row := n*batchRows + i
			fmt.Fprintf(&body, "load,writer=%d v=%di %d\n", w.id, row, base.Add(time.Duration(row)*time.Millisecond).UnixNano())
		}
		text := body.Bytes()
		_, _, ok := l.do(ctx, w.id, func(at string) (*http.Request, error) {
			return http.NewRequest(http.MethodPost, at+"/write?db="+l.db+"&consistency="+l.consistency, bytes.NewReader(text))
		})
		a := ack{}
		if ok {
			a.at = time.Now()
			l.rows.Add(batchRows)
		}
		w.mu.Lock()
		w.acked = append(w.acked, a)
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// readBatches is how many batches of a writer one query covers.
const readBatches = 200

func (l *load) read(ctx context.Context, reader int) {
	for n := reader; ctx.Err() == nil; n++ {
		w := l.writers[n%len(l.writers)]
		l.check(ctx, w, n)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// due gives the batches that an answer to a query that begins now must have: of
// the last ones written, or anywhere where at is given.
func (w *rowWriter) due(lag time.Duration, all bool) (from int, have []bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := time.Now().Add(-lag)
	end := len(w.acked)
	if !all {
		from = max(0, end-readBatches)
		// Where the writer was fast, the last ones are all too young.
		for from > 0 && !w.acked[from].at.IsZero() && w.acked[from].at.After(before) {
			from = max(0, from-readBatches)
		}
		end = min(end, from+2*readBatches)
	}
	for _, a := range w.acked[from:end] {
		have = append(have, !a.at.IsZero() && a.at.Before(before))
	}
	return from, have
}

// check compares one answer with what was acknowledged.
func (l *load) check(ctx context.Context, w *rowWriter, first int) {
	lag, consistency := l.lag, ""
	if l.strict {
		lag, consistency = 0, "&read_consistency=quorum"
	}
	from, due := w.due(lag, false)
	l.compare(ctx, w, first, from, due, consistency)
}

// checkAll compares everything that was written, through each address.
func (l *load) checkAll(ctx context.Context) {
	for first := range l.urls {
		for _, w := range l.writers {
			from, due := w.due(0, true)
			l.compare(ctx, w, first, from, due, "")
		}
	}
}

func (l *load) compare(ctx context.Context, w *rowWriter, first, from int, due []bool, consistency string) {
	if len(due) == 0 {
		return
	}
	lo := base.Add(time.Duration(from*batchRows) * time.Millisecond)
	hi := base.Add(time.Duration((from+len(due))*batchRows) * time.Millisecond)
	q := fmt.Sprintf("SELECT v FROM load WHERE writer = '%d' AND time >= %d AND time < %d", w.id, lo.UnixNano(), hi.UnixNano())
	body, at, ok := l.do(ctx, first, func(at string) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, at+"/query?epoch=ns&db="+l.db+consistency+"&q="+url.QueryEscape(q), nil)
	})
	if !ok {
		return
	}
	values, err := rowsOf(body)
	if err != nil {
		if ctx.Err() == nil {
			l.fail(fmt.Sprintf("%s: %s: %v", at, q, err))
		}
		return
	}
	have := make(map[int]bool, len(values))
	for _, v := range values {
		row := int(time.Unix(0, v[0]).Sub(base) / time.Millisecond)
		if int64(row) != v[1] {
			l.accuse("%s: writer %d: row %d has the value %d", at, w.id, row, v[1])
		}
		have[row] = true
	}
	missing, checked := 0, 0
	firstMissing := -1
	for i, is := range due {
		if !is {
			continue
		}
		for row := (from + i) * batchRows; row < (from+i+1)*batchRows; row++ {
			checked++
			if !have[row] {
				missing++
				if firstMissing < 0 {
					firstMissing = row
				}
			}
		}
	}
	l.answers.Add(1)
	l.checked.Add(int64(checked))
	if missing > 0 {
		w.mu.Lock()
		ago := time.Since(w.acked[firstMissing/batchRows].at)
		w.mu.Unlock()
		l.accuse("%s: writer %d: %d of %d rows due are missing, the first is %d, acknowledged %v ago", at, w.id, missing, checked, firstMissing, ago.Round(time.Millisecond))
	}
}

// rowsOf gives time and value of each row of an answer.
func rowsOf(body []byte) ([][2]int64, error) {
	var doc struct {
		Results []struct {
			Error   string
			Partial bool
			Series  []struct{ Values [][2]int64 }
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("%w: %.200s", err, body)
	}
	var rows [][2]int64
	for _, r := range doc.Results {
		if r.Error != "" {
			return nil, fmt.Errorf("%s", r.Error)
		}
		if r.Partial {
			return nil, fmt.Errorf("a partial answer that was not asked for")
		}
		for _, s := range r.Series {
			rows = append(rows, s.Values...)
		}
	}
	return rows, nil
}
