package exec

import "github.com/varvedb/varve/model"

// Rows is a piece of one series of a result, the one shape for SELECT and
// SHOW. The pieces of a series come one after the other; More is set on all
// but the last of them.
//
// Times and Values belong to the receiver until it returns from the function
// it was handed to.
type Rows struct {
	Name    string
	Tags    model.Tags // sorted by key; values may be ""
	HasTags bool       // whether the result was grouped by tags, even by none that exist
	Columns []string   // names; the first is that of the times when Times is not nil
	Times   []int64    // nanoseconds since 1970, or nil for results without times
	Values  []model.Column
	Lists   [][]string // by row, when the column behind Values is of lists of strings: only SHOW SUBSCRIPTIONS has one
	More    bool
}

// Len gives the number of rows.
func (r *Rows) Len() int {
	if r.Times != nil {
		return len(r.Times)
	}
	if len(r.Values) == 0 {
		return 0
	}
	return r.Values[0].Len()
}
