package block

import "github.com/varvedb/varve/model"

// MaxTables is the most code tables that the blocks of one Group may have.
const MaxTables = 255

// Tables is the code tables that the blocks of one Group share. It is safe for
// use by several goroutines.
type Tables struct{}

// ReadTables parses what Group.Finish gave as tables. Tables keeps p.
func ReadTables(p []byte) (*Tables, error) {
	if len(p) != 0 {
		return nil, model.ErrCorrupt
	}
	return &Tables{}, nil
}
