package httpapi

import (
	"errors"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// passing makes trouble that passes by itself the answer's status when it is
// the first thing that the answer would say: clients try again on a 503, while
// an error inside a 200 reaches a person. What has begun to be sent, and the
// results of earlier statements, are never taken back.
type passing struct {
	query.Sink
	out   *output
	later bool // a statement has ended
}

func (p *passing) Begin(s query.Statement) error {
	p.out.ended = s.Ended
	return p.Sink.Begin(s)
}

func (p *passing) End(o query.Outcome) error {
	p.out.ended = nil // its error is part of the answer
	first := !p.later && !p.out.started
	p.later = true
	if first && (errors.Is(o.Err, model.ErrUnavailable) || errors.Is(o.Err, model.ErrOverloaded)) {
		return o.Err
	}
	return p.Sink.End(o)
}
