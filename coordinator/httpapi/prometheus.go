package httpapi

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/coordinator/httpapi/remote"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// promLimits bounds a remote write. Prometheus sends some thousand samples at a
// time, with some ten labels.
var promLimits = remote.Limits{Labels: 256, Samples: 1_000_000}

// promWrite answers Prometheus's remote write. The order of the checks is
// InfluxDB's.
func (s *Server) promWrite(c echo.Context) error {
	s.tallies.add(c, true)
	db := c.QueryParam("db")
	if err := s.mayWrite(c, db); err != nil {
		return s.fail(c, err)
	}
	if err := s.admit(c, db); err != nil {
		return s.fail(c, err)
	}
	ctx := c.Request().Context()
	b, err := s.readBody(c)
	if err != nil {
		return s.fail(c, err)
	}
	defer b.release()
	defer b.parsed()
	s.metrics.received.Add(float64(len(b.data)))
	if err := s.turn(ctx, s.writes, "queue"); err != nil {
		return s.fail(c, err)
	}
	defer s.writes.give()
	var sent *remote.Write
	err = s.parse(ctx, func() error {
		return s.unpackBlock(c, b, func(message []byte) (err error) {
			sent, err = remote.DecodeWrite(message, s.parts.HashSeed, promLimits)
			return err
		})
	})
	if err != nil {
		return s.fail(c, err)
	}
	b.parsed()
	s.metrics.refuse("not a number", sent.NotNumbers)
	result := &lineprotocol.Result{Batch: sent.Batch, Dropped: lineprotocol.Drops{Count: sent.Dropped, Reason: sent.Reason}}
	b.hold()
	to := target{user: nameOf(c), database: db, policy: c.QueryParam("rp"), consistency: c.QueryParam("consistency")}
	samples, values := sent.Batch.Rows()+sent.Dropped, valuesOf(sent.Batch)
	err = s.store(ctx, to, result, b.release)
	s.metrics.wrote(samples, values, err)
	if err != nil {
		return s.fail(c, err)
	}
	return stored(c)
}

// promRead answers Prometheus's remote read.
func (s *Server) promRead(c echo.Context) error {
	s.tallies.add(c, false)
	if err := s.budget.memory.Queries(); err != nil {
		s.metrics.refused.WithLabelValues("memory").Inc()
		return s.fail(c, err)
	}
	read, err := s.readRead(c)
	if err != nil {
		return s.fail(c, err)
	}
	measurements, series, err := read.Predicates()
	if err != nil {
		return s.fail(c, err)
	}
	q, err := s.parts.Queries.Points(s.asked(c, query.Request{Database: c.QueryParam("db"), Policy: c.QueryParam("rp")}), query.Points{
		Field: remote.Field, Measurements: measurements, Series: series, Range: read.Range, Text: "prometheus read " + read.String(),
	})
	if err != nil {
		return s.fail(c, err)
	}
	if err := s.mayRead(c); err != nil {
		return s.fail(c, err)
	}
	sink := promSink{budget: s.budget}
	defer sink.release()
	if err := s.parts.Queries.Execute(c.Request().Context(), q, &sink); err != nil {
		return s.fail(c, err)
	}
	c.Response().Header().Set(echo.HeaderContentEncoding, "snappy")
	return c.Blob(http.StatusOK, "application/x-protobuf", sink.result.Pack())
}

// readRead reads the body of a remote read.
func (s *Server) readRead(c echo.Context) (read *remote.Read, err error) {
	b, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	defer b.release()
	defer b.parsed()
	err = s.unpackBlock(c, b, func(message []byte) (err error) {
		read, err = remote.DecodeRead(message)
		return err
	})
	return read, err
}

// mayRead fails, with InfluxDB's words for it, where there is no such database or
// policy.
func (s *Server) mayRead(c echo.Context) error {
	db, err := s.parts.Databases.Database(c.Request().Context(), c.QueryParam("db"))
	switch policy := c.QueryParam("rp"); {
	case errors.Is(err, model.ErrNotFound):
		return invalid("no database")
	case err != nil:
		return err
	case policy != "":
		if _, ok := db.Policy(policy); !ok {
			return invalid("invalid retention policy")
		}
	}
	return nil
}

// promSink collects the answer to a remote read. It begins to be sent when it is
// complete, so its error can still be the answer's status. Its bytes are taken
// from the budget until it is sent: the query has ended by then, and counts no
// more.
type promSink struct {
	result remote.Result
	budget *budget
	taken  int64
}

// resultCost is how many bytes a byte of a result takes: as it is collected, in a
// buffer that grows, and packed.
const resultCost = 3

func (*promSink) Begin(query.Statement) error { return nil }

func (p *promSink) Rows(r *exec.Rows) error {
	if err := p.result.Add(r); err != nil {
		return err
	}
	more := resultCost*int64(p.result.Len()) - p.taken
	if more <= 0 {
		return nil
	}
	if p.taken+more > p.budget.limit {
		return remote.ErrResultTooLarge // it would never fit
	}
	if err := p.budget.reserve(more); err != nil {
		return err
	}
	p.taken += more
	return nil
}

func (p *promSink) release() { p.budget.give(p.taken) }

func (*promSink) End(o query.Outcome) error { return o.Err }

// unpackBlock gives a body that is a snappy block, unpacked, to decode, which may
// not keep it. What is taken of the budget is that of the larger of the two: the
// other one is gone soon.
func (s *Server) unpackBlock(c echo.Context, b *body, decode func([]byte) error) error {
	size, err := remote.Unpacked(b.data)
	if err != nil {
		return err
	}
	if size > s.cfg.MaxUnpackedBytes {
		return s.tooLarge(c)
	}
	if more := size - b.taken.Load(); more > 0 {
		if err := b.budget.take(more); err != nil {
			return err
		}
		b.taken.Add(more)
	}
	room := b.buffers.take(size)
	defer b.buffers.give(room)
	message, err := remote.Unpack(*room, b.data)
	if err != nil {
		return err
	}
	return decode(message)
}
