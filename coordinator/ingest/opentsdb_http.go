package ingest

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/ingest/opentsdb"
	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

// Bounds of requests.
const (
	maxPutBytes  = 25e6     // of a body after decompression, as for /write
	maxPutMemory = 64 << 20 // of the points of one request
	// putsAtOnce is how many bodies are read at a time, so that requests take no
	// more than a few times maxPutMemory; one waits putWait for its turn.
	putsAtOnce = 4
	putWait    = 5 * time.Second

	putHeaderTimeout = 10 * time.Second
	putReadTimeout   = 30 * time.Second // of header and body, so that a slow client does not keep its turn
	putWriteTimeout  = 2 * time.Minute
	putIdleTimeout   = 2 * time.Minute
	putCloseTimeout  = 5 * time.Second
)

// putServer answers HTTP on the connections that it is given.
type putServer struct {
	pipe     *pipe
	seed     uint64
	maxBytes int // of a body
	turns    *semaphore.Weighted
	http     *http.Server
	handover *handover
	done     sync.WaitGroup
}

func newPutServer(p *pipe, seed uint64, log *slog.Logger) *putServer {
	s := &putServer{pipe: p, seed: seed, maxBytes: maxPutBytes, turns: semaphore.NewWeighted(putsAtOnce), handover: newHandover()}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/put", s.put)
	mux.HandleFunc("/api/metadata/put", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: putHeaderTimeout, ReadTimeout: putReadTimeout, WriteTimeout: putWriteTimeout,
		IdleTimeout: putIdleTimeout, MaxHeaderBytes: maxChunk, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	s.done.Go(func() { _ = s.http.Serve(s.handover) })
	return s
}

// close ends the server when the requests at work are answered, or soon.
func (s *putServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), putCloseTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.done.Wait()
}

// serve answers requests on a connection until it is closed.
func (s *putServer) serve(ctx context.Context, c net.Conn, read *bufio.Reader) {
	conn := &readConn{Conn: c, read: read, closed: make(chan struct{})}
	select {
	case s.handover.conns <- conn:
	case <-s.handover.ended:
		return
	}
	select {
	case <-conn.closed:
	case <-ctx.Done():
	}
}

// put answers /api/put.
func (s *putServer) put(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	wait, cancel := context.WithTimeout(r.Context(), putWait)
	defer cancel()
	if s.turns.Acquire(wait, 1) != nil {
		unavailable(w, "too many requests at once")
		return
	}
	defer s.turns.Release(1)
	rows, err := s.read(w, r)
	if err != nil {
		s.pipe.metrics.malformed.WithLabelValues(reasonBody).Inc()
		status := http.StatusBadRequest
		if errors.Is(err, model.ErrTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	if rows.Len() > 0 {
		if err := s.write(r.Context(), rows.Take()); err != nil {
			s.fail(w, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

var errPutTooLarge = &model.Error{Kind: model.ErrTooLarge, Text: http.StatusText(http.StatusRequestEntityTooLarge)}

// read reads a body. The errors have InfluxDB's texts.
func (s *putServer) read(w http.ResponseWriter, r *http.Request) (*point.Rows, error) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, int64(s.maxBytes)))
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, errors.New("could not read gzip, " + err.Error())
		}
		defer z.Close()
		body = z
	}
	count := &countingReader{r: body, most: s.maxBytes}
	rows := point.NewRows(s.seed)
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	received := 0
	err := opentsdb.ParseJSON(count, func(p *point.Point) error {
		received++
		s.pipe.add(chunk{from: from}, p, rows)
		if rows.Bytes() > maxPutMemory {
			return errPutTooLarge
		}
		return nil
	})
	s.pipe.metrics.bytes.WithLabelValues().Add(float64(count.n))
	s.pipe.metrics.points.WithLabelValues().Add(float64(received))
	var large *http.MaxBytesError
	if errors.As(err, &large) || count.n > s.maxBytes {
		return nil, errPutTooLarge
	}
	return rows, err
}

// write writes points once: the client is there to try again.
func (s *putServer) write(ctx context.Context, b *model.Batch) error {
	points := b.Rows()
	err := s.pipe.delivery.write(ctx, b)
	var partial *coordinator.PartialWriteError
	switch {
	case errors.As(err, &partial):
		s.pipe.metrics.droppedPoints.WithLabelValues(reasonRefused).Add(float64(partial.Dropped))
		points -= partial.Dropped
	case err != nil:
		s.pipe.metrics.failed.WithLabelValues().Inc()
		return err
	}
	s.pipe.metrics.batches.WithLabelValues().Inc()
	s.pipe.metrics.written.WithLabelValues().Add(float64(points))
	return err
}

// fail answers that a write failed. What may pass by itself is no fault of the
// client's.
func (s *putServer) fail(w http.ResponseWriter, err error) {
	text := "write series error: " + err.Error()
	s.pipe.log.Warn("could not write the points of a request", "error", err)
	switch {
	case passing(err):
		unavailable(w, text)
	case errors.Is(err, model.ErrInvalid), errors.Is(err, model.ErrTooLarge):
		http.Error(w, text, http.StatusBadRequest)
	default:
		http.Error(w, text, http.StatusInternalServerError)
	}
}

func unavailable(w http.ResponseWriter, text string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, http.StatusServiceUnavailable)
}

// countingReader counts what is read, and ends reading beyond a bound.
type countingReader struct {
	r    io.Reader
	n    int
	most int
}

func (c *countingReader) Read(b []byte) (int, error) {
	if c.n > c.most {
		return 0, errPutTooLarge
	}
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}
