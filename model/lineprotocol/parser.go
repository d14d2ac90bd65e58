package lineprotocol

import (
	"fmt"
	"math"
	"time"

	"github.com/varvedb/varve/model"
)

// Parser turns bodies into batches. It remembers the series it has seen. Its
// methods may be called by any number of goroutines.
type Parser struct {
	pool pool
	// workers holds the idle ones. It is never closed.
	workers chan *worker
}

// NewParser gives a Parser. The Config must be valid.
func NewParser(cfg Config) *Parser {
	p := &Parser{workers: make(chan *worker, cfg.Workers)}
	for range cfg.Workers {
		p.workers <- newWorker(cfg, &p.pool)
	}
	return p
}

// Options says how one body is to be read.
type Options struct {
	Precision Precision
	// Now is the time of lines that have none, before it is cut to Precision.
	Now time.Time
	// Join puts lines that follow each other with the same series and time, and
	// different fields, into one row. A row that has to be refused then may stand
	// for lines that must not be: see Result.Joined.
	Join bool
}

// Parse reads a body. It keeps no reference to body. Lines that are bad are in
// the Result; an error means that nothing of the body is to be stored: it is of
// kind ErrTooLarge when the body has too many different fields.
//
// Parse waits while as many bodies as there are workers are being parsed. The
// Result belongs to the caller until its Release.
func (p *Parser) Parse(body []byte, opt Options) (*Result, error) {
	if len(body) > math.MaxInt32 {
		return nil, &model.Error{
			Kind: model.ErrTooLarge,
			Text: fmt.Sprintf("body of %d bytes is too large, at most %d", len(body), math.MaxInt32),
		}
	}
	w := <-p.workers
	defer func() {
		if w.full() {
			// One body of many series may be all that comes for long.
			w = newWorker(w.cfg, w.pool)
		}
		p.workers <- w
	}()
	return w.parse(body, opt)
}
