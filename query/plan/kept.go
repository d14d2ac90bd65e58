package plan

import (
	"slices"

	"github.com/influxdata/influxql"
)

// keepTags adds the tags that top() and bottom() name in a SELECT … INTO to the
// columns of its rows: they stay tags of the points, like in InfluxDB. Fields
// that they name are not written.
func (b *binder) keepTags(calls []*influxql.Call) {
	if b.stmt.Target == nil {
		return
	}
	for _, call := range calls {
		if call.Name != "top" && call.Name != "bottom" {
			continue
		}
		for _, arg := range call.Args[1 : len(call.Args)-1] {
			ref, ok := arg.(*influxql.VarRef)
			if !ok || ref.Type != influxql.Tag || slices.Contains(b.out.GroupBy, ref.Val) {
				continue
			}
			b.out.Columns = append(b.out.Columns, ref.Val)
			b.out.Exprs = append(b.out.Exprs, b.slot(ref))
			b.out.Kept++
		}
	}
}
