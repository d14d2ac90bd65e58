package model

// Batch is the unit of change of a shard: rows to store, or a delete. It is
// made once, by the coordinator that receives a request, and is at the same
// time the record in the log, the message to the other owners and the input
// of the memtable.
//
// ID and Version are zero until a coordinator has stamped the batch.
type Batch struct {
	ID      BatchID
	Version Version // Version.ID equals ID

	Series []Series // the distinct series of all tables
	Tables []Table  // one or several per measurement; of several, a later one wins
	Delete *Delete  // when set, Series and Tables are empty

	Packed Packed // the binary form of Tables, once Pack has made it
}

// Series names a series in a batch. Key is the canonical key, or nil where the
// sender knows that the receiver has it.
type Series struct {
	Hash SeriesHash
	Key  []byte
}

// Table is rows of one measurement, in order of arrival: of two rows of a
// batch with one series and time the later wins, field by field.
//
// Two columns may share a name and differ in type; a coordinator resolves that
// against the schema before a batch is stamped.
type Table struct {
	Measurement string
	Series      []uint32 // per row, an index into Batch.Series
	Times       []int64  // per row, nanoseconds since 1970
	Columns     []Column // each as long as Times
}

// Rows gives the number of rows of all tables.
func (b *Batch) Rows() int {
	n := 0
	for i := range b.Tables {
		n += len(b.Tables[i].Times)
	}
	return n
}

// Range gives the times of the rows, or of the delete.
func (b *Batch) Range() TimeRange {
	if b.Delete != nil {
		return b.Delete.Range
	}
	r := TimeRange{Min: MaxTime, Max: MinTime}
	for i := range b.Tables {
		r = r.Union(b.Tables[i].Range())
	}
	return r
}

// Range gives the times of the rows; it is empty when there are none.
func (t *Table) Range() TimeRange {
	r := TimeRange{Min: MaxTime, Max: MinTime}
	for _, v := range t.Times {
		r.Min = min(r.Min, v)
		r.Max = max(r.Max, v)
	}
	return r
}

// Select gives a table of the given rows of t, in that order, without the
// columns that have no value in any of them. Series indexes stay as they are.
func (t *Table) Select(rows []uint32) Table {
	out := Table{
		Measurement: t.Measurement,
		Series:      make([]uint32, len(rows)),
		Times:       make([]int64, len(rows)),
	}
	for i, r := range rows {
		out.Series[i] = t.Series[r]
		out.Times[i] = t.Times[r]
	}
	for i := range t.Columns {
		from := &t.Columns[i]
		to := Column{Field: from.Field}
		used := false
		for _, r := range rows {
			to.AppendRow(from, int(r))
			used = used || from.Has(int(r))
		}
		if used {
			out.Columns = append(out.Columns, to)
		}
	}
	return out
}

// Delete removes what it covers and has a lower version: the cells of all
// series that match, in the time range.
type Delete struct {
	Where *Predicate // nil: every series
	Range TimeRange
}
