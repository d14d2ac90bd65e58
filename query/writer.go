package query

import (
	"context"

	"github.com/varvedb/varve/model"
)

// Writer stores the rows of SELECT … INTO. Package coordinator implements it.
//
// Errors have the kinds and texts of a write by a client: rows that were
// refused for their content while the others were stored are an error, too.
type Writer interface {
	// Write stores b and takes it over. Its series have their keys; the hashes
	// are the Writer's to set. It returns soon after ctx ends, though the write
	// may go on.
	Write(ctx context.Context, to Destination, b *model.Batch) error
}

// Destination is where rows of SELECT … INTO go.
type Destination struct {
	Database, Policy string
	Level            string // how many owners must have them, as a client names it; "" is the default
}

// WriteTo sets what stores the rows of SELECT … INTO; without it the statement
// is refused. It is called before the first request.
func (e *Executor) WriteTo(w Writer) { e.writer = w }
