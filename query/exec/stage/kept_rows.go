package stage

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/model"
)

// keptRows is rows of a window that a stage keeps, in order of arrival. Those
// that the stage no longer needs stay until compact.
type keptRows struct {
	Points
	ctx   context.Context // ends what takes long
	held  *Budget
	bytes int // that are counted
}

// maxKeptText bounds the texts of a column, which can address 4 GB.
const maxKeptText = min(2<<30, math.MaxInt)

// indexBytes is what a stage takes to speak of a row.
const indexBytes = 8

// append keeps row i of in and gives its index. The caller looks after count.
func (k *keptRows) append(in *Points, i int) int {
	if k.Value.Type == 0 {
		k.Value.Type = in.Value.Type
		k.Aux = make([]model.Column, len(in.Aux))
		for c := range k.Aux {
			k.Aux[c].Type = in.Aux[c].Type
		}
	}
	k.AppendRow(in, i, in.Times[i])
	return len(k.Times) - 1
}

// count counts what is kept. A row has at most some megabytes, so it is enough
// to call it every few rows.
func (k *keptRows) count() error {
	bytes := (8 + indexBytes) * cap(k.Times)
	for c := -1; c < len(k.Aux); c++ {
		col := &k.Value
		if c >= 0 {
			col = &k.Aux[c]
		}
		if len(col.Text) > maxKeptText {
			return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("texts of a window have %d bytes, the limit is %d", len(col.Text), maxKeptText)}
		}
		bytes += 8*cap(col.Bits) + 4*cap(col.Ends) + cap(col.Text)
	}
	if err := k.held.take(bytes - k.bytes); err != nil {
		return err
	}
	k.bytes = bytes
	return nil
}

// compact leaves only the rows listed, in that order.
func (k *keptRows) compact(rows []int) {
	old := k.Points
	k.Points = Points{Times: make([]int64, 0, len(rows)), Value: model.Column{Field: old.Value.Field}, Aux: make([]model.Column, len(old.Aux))}
	for c := range k.Aux {
		k.Aux[c].Type = old.Aux[c].Type
	}
	for _, i := range rows {
		k.AppendRow(&old, i, old.Times[i])
	}
}

// sortByTime puts rows in the order of the statement. Those of equal time stay as
// they are.
func (k *keptRows) sortByTime(rows []int, descending bool) error {
	return sorting.Stable(k.ctx, rows, func(i, j int) int {
		if descending {
			i, j = j, i
		}
		return cmp.Compare(k.Times[i], k.Times[j])
	})
}
