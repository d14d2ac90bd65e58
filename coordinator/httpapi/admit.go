package httpapi

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"
)

// Quotas bounds what users and databases write; a *quota.Keeper. Its errors are of
// kind model.ErrOverloaded.
type Quotas interface {
	// MayWrite says whether a user ("" is anyone) may write to a database now.
	MayWrite(user, database string) error
	// Wrote counts points, or takes them back.
	Wrote(user, database string, points int)
}

// unbounded is Quotas that nobody has.
type unbounded struct{}

func (unbounded) MayWrite(string, string) error { return nil }
func (unbounded) Wrote(string, string, int)     {}

const (
	// lateAfter is for how long a body may wait to be parsed before others are
	// refused. Collectors give a write up after 5 s: what they have given up they
	// send again, so a longer queue is work for nobody.
	lateAfter = time.Second
	// parsePatience is for how long each waits at most, for its turn and for room
	// for its rows.
	parsePatience = 4 * time.Second
	roomPoll      = 10 * time.Millisecond
)

// admit fails where the server has no room for a write, or its user or database
// has taken what it may. That is before the body is read, and a large one is not
// read at all: to let it go past took a third of what it takes to store it. Its
// connection is closed half a second after the answer.
func (s *Server) admit(c echo.Context, db string) error {
	now := time.Now()
	for _, ask := range []struct {
		reason string
		err    func() error
	}{
		{"memory", s.budget.memory.Writes},
		{"queue", func() error { return s.writes.refuses(now) }},
		{"parsing", func() error { return s.parsing.refuses(now) }},
		{"quota", func() error { return s.quotas.MayWrite(nameOf(c), db) }},
	} {
		if err := ask.err(); err != nil {
			s.metrics.refused.WithLabelValues(ask.reason).Inc()
			return err
		}
	}
	return nil
}

// parse runs what makes a batch of a body, when it is its turn and there is room
// for its rows. Who waits for room keeps its turn: what comes behind it is then
// late, and refused before it is read. To parse what is refused in the end took
// half of what could have been stored.
func (s *Server) parse(ctx context.Context, f func() error) error {
	begin := time.Now()
	if err := s.turn(ctx, s.parsing, "parsing"); err != nil {
		return err
	}
	defer s.parsing.give()
	if err := s.room(ctx, begin.Add(parsePatience)); err != nil {
		s.metrics.refused.WithLabelValues("memory").Inc()
		return err
	}
	return f()
}

// room waits until there is room for rows.
func (s *Server) room(ctx context.Context, until time.Time) error {
	for s.budget.memory.Behind() {
		if time.Now().After(until) {
			return errWaitedLong
		}
		select {
		case <-time.After(roomPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// turn waits until a write may go on whose body was read; give must follow.
func (s *Server) turn(ctx context.Context, of *turns, reason string) error {
	err := of.take(ctx)
	if err != nil {
		s.metrics.refused.WithLabelValues(reason).Inc()
	}
	return err
}

// nameOf gives the name of who sends a request, "" for anyone.
func nameOf(c echo.Context) string {
	if u := userOf(c); u != nil {
		return u.Name()
	}
	return ""
}
