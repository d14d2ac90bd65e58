package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model/lineprotocol"
)

// writeV1 answers /write.
func (s *Server) writeV1(c echo.Context) error {
	precision, err := lineprotocol.ParsePrecision(c.QueryParam("precision"))
	if err != nil {
		return s.fail(c, err)
	}
	return s.write(c, c.QueryParam("db"), c.QueryParam("rp"), precision)
}

// writeV2 answers /api/v2/write, whose buckets are databases, or databases and
// policies with a slash between.
func (s *Server) writeV2(c echo.Context) error {
	precision, err := lineprotocol.ParsePrecisionV2(c.QueryParam("precision"))
	if err != nil {
		return s.fail(c, err)
	}
	db, rp, err := cutBucket(c.QueryParam("bucket"))
	if err != nil {
		return s.fail(c, err)
	}
	return s.write(c, db, rp, precision)
}

// write stores a body of line protocol. The order of the checks is InfluxDB's.
func (s *Server) write(c echo.Context, db, policy string, precision lineprotocol.Precision) error {
	s.tallies.add(c, true)
	if err := s.mayWrite(c, db); err != nil {
		return s.fail(c, err)
	}
	if err := s.admit(c, db); err != nil {
		return s.fail(c, err)
	}
	ctx := c.Request().Context()
	b, err := s.receive(c)
	if err != nil {
		return s.fail(c, err)
	}
	defer b.release()
	defer b.parsed()
	if err := s.turn(ctx, s.writes, "queue"); err != nil {
		return s.fail(c, err)
	}
	defer s.writes.give()
	to := target{user: nameOf(c), database: db, policy: policy, consistency: c.QueryParam("consistency")}
	opt := lineprotocol.Options{Precision: precision, Now: time.Now(), Join: true}
	err = s.parseAndStore(ctx, to, b, opt)
	if errors.Is(err, coordinator.ErrJoined) {
		opt.Join = false
		err = s.parseAndStore(ctx, to, b, opt)
	}
	if err != nil {
		return s.fail(c, err)
	}
	return stored(c)
}

// stored answers a write.
func stored(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, accepted(c.Request()).contentType)
	return c.NoContent(http.StatusNoContent)
}

// target is where points go, and who sends them.
type target struct {
	user, database, policy, consistency string
}

// parseAndStore writes the points of a body. It gives the body's memory back
// unless coordinator.ErrJoined is to be expected: then it may be called again.
func (s *Server) parseAndStore(ctx context.Context, to target, b *body, opt lineprotocol.Options) error {
	var parsed *lineprotocol.Result
	err := s.parse(ctx, func() (err error) {
		if err := s.unpack(b); err != nil {
			return err
		}
		if opt.Join { // the first time
			s.metrics.received.Add(float64(len(b.data)))
		}
		parsed, err = s.parts.Parser.Parse(b.data, opt)
		return err
	})
	if err != nil {
		return err
	}
	if !parsed.Joined {
		b.parsed()
	}
	lines, malformed, values, reasons := parsed.Lines, parsed.Malformed, valuesOf(parsed.Batch), parsed.Reasons
	b.hold()
	held := false // by the writer, whose owners may be at work after the answer
	defer func() {
		if !held {
			b.release()
		}
	}()
	err = s.store(ctx, to, parsed, func() {
		parsed.Release()
		b.release()
	})
	held = true
	if !errors.Is(err, coordinator.ErrJoined) {
		s.metrics.lines.Add(float64(lines))
		for reason, n := range reasons {
			s.metrics.refuse(reason, n)
		}
		s.metrics.wrote(lines-malformed, values, err)
	}
	return err
}

// store writes what was parsed and gives the error that InfluxDB answers with.
// It calls release when nothing reads the batch any more, which may be after it
// has returned.
func (s *Server) store(ctx context.Context, to target, parsed *lineprotocol.Result, release func()) error {
	bad, drops := parsed.Err, parsed.Dropped
	if bad != nil && parsed.Empty() {
		release()
		s.refused(to, bad, drops)
		return bad
	}
	level, err := coordinator.ParseLevel(to.consistency)
	if err != nil {
		release()
		return err
	}
	if len(parsed.Batch.Tables) == 0 {
		release()
	} else {
		points := parsed.Batch.Rows()
		s.quotas.Wrote(to.user, to.database, points)
		err = s.parts.Writer.Write(ctx, coordinator.WriteRequest{
			User:     to.user,
			Database: to.database,
			Policy:   to.policy,
			Batch:    parsed.Batch,
			Joined:   parsed.Joined,
			Level:    level,
			Release:  release,
		})
		if errors.Is(err, coordinator.ErrJoined) {
			s.quotas.Wrote(to.user, to.database, -points) // they come again
		}
	}
	var partial *coordinator.PartialWriteError
	switch {
	case errors.As(err, &partial):
		s.metrics.refuse(lineprotocol.Reason(partial.Reason), partial.Dropped)
	case err != nil:
		return err
	}
	s.metrics.refuse(lineprotocol.Reason(drops.Reason), drops.Count)
	if partial != nil {
		if drops.Count == 0 {
			drops.Reason = partial.Reason
		}
		drops.Count += partial.Dropped
	}
	if bad != nil || drops.Count > 0 {
		s.refused(to, bad, drops)
	}
	switch {
	case drops.Count > 0:
		return &coordinator.PartialWriteError{Reason: drops.Reason, Dropped: drops.Count}
	case bad != nil:
		return &coordinator.PartialWriteError{Reason: bad.Error()}
	}
	return nil
}
