package coordinator

import (
	"errors"
	"fmt"

	"github.com/varvedb/varve/model"
)

// ErrPolicyNotFound is the kind of "retention policy not found", which
// InfluxDB answers with 500 where a missing database is 404. It is a
// model.ErrNotFound, too.
var ErrPolicyNotFound = fmt.Errorf("retention policy %w", model.ErrNotFound)

// PartialWriteError says that rows of a write were refused for their content
// while the others were stored. It is of kind model.ErrInvalid; its text is
// InfluxDB's.
type PartialWriteError struct {
	Reason  string // of the first row refused
	Dropped int    // rows
}

func (e *PartialWriteError) Error() string {
	return fmt.Sprintf("partial write: %s dropped=%d", e.Reason, e.Dropped)
}

// Unwrap gives the kind.
func (e *PartialWriteError) Unwrap() error { return model.ErrInvalid }

func databaseNotFound(name string) error {
	return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("database not found: %q", name)}
}

func policyNotFound(name string) error {
	return &model.Error{Kind: ErrPolicyNotFound, Text: "retention policy not found: " + name}
}

// unavailable gives err the kind of trouble that passes, unless it has one
// that says so already.
func unavailable(err error) error {
	if errors.Is(err, model.ErrUnavailable) || errors.Is(err, model.ErrOverloaded) {
		return err
	}
	return fmt.Errorf("%w: %w", model.ErrUnavailable, err)
}
