package plan

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

func errText(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// invalid gives err, an error of the statement, its kind.
func invalid(err error) error { return &model.Error{Kind: model.ErrInvalid, Text: err.Error()} }

func invalidf(format string, args ...any) error {
	return &model.Error{Kind: model.ErrInvalid, Text: errText(format, args...)}
}
