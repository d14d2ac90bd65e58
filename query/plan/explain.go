package plan

// Report says whether a shard tells what a fragment takes there.
type Report uint8

// The reports. The numbers go between nodes.
const (
	NoReport   Report = 0
	CostReport Report = 1 // what it would read; nothing is run
	RunReport  Report = 2 // what it read, after the answer
	SumReport  Report = 3 // the same in sum, to another node only
)

// SetReport makes the fragments of b and of its subqueries report. It is for a
// Bound that nobody else uses yet.
func (b *Bound) SetReport(r Report) {
	for _, f := range b.Fragments() {
		if f.Inner != nil {
			f.Inner.SetReport(r)
		} else {
			f.Report = r
		}
	}
}

// Statement gives the text of the statement, with its wildcards resolved and the
// types of its names.
func (b *Bound) Statement() string { return b.stmt.String() }

// Auxiliary gives the fields and tags that are selected outside of calls.
func (b *Bound) Auxiliary() []string {
	var all []string
	for i := range b.refs {
		all = append(all, b.refs[i].String())
	}
	return all
}

// Expression gives the text of what the call takes from its scan: an aggregate
// or a field.
func (c *BoundCall) Expression() string { return c.of.String() }
