package segment

import (
	"github.com/varvedb/varve/model"
)

// Alone reports whether granule g holds rows of its series only, so that a
// Writer can copy it.
func (c *Cursor) Alone(g int) bool { return c.places[g].whole }

// Copy adds granule g of from, which is Alone, to a series as Append would add
// its rows, for the fields that from was reset to. versions are the numbers of
// w's table, one for each row; nil when the file is not Versioned.
func (w *Writer) Copy(measurement string, series uint32, from *Cursor, g int, versions []uint32) error {
	if w.err != nil {
		return w.err
	}
	rows := Rows{Versions: versions}
	var err error
	if rows.Times, err = from.Times(g); err != nil {
		return err
	}
	rows.Columns = make([]model.Column, len(from.fields))
	for i := range from.fields {
		c, err := from.Column(g, i)
		if err != nil {
			return err
		}
		rows.Columns[i] = *c
	}
	return w.Append(measurement, series, &rows)
}
