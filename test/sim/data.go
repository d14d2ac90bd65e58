package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/varvedb/varve/model"
)

const (
	measurement = "m"
	timeStep    = 1000
	hashSeed    = 7
)

// fields are those of every row.
var fields = []model.Field{{Name: "v", Type: model.Integer}, {Name: "w", Type: model.Integer}}

var seriesKeys = func() []string {
	var all []string
	for i := range seriesCount {
		all = append(all, string(model.AppendSeriesKey(nil, measurement, model.Tags{{Key: "h", Value: fmt.Sprint(i)}})))
	}
	return all
}()

// batchOf makes a batch of rows, not stamped.
func batchOf(c *change) *model.Batch {
	b := &model.Batch{}
	t := model.Table{Measurement: measurement, Columns: []model.Column{{Field: fields[0]}, {Field: fields[1]}}}
	at := map[int]uint32{}
	for _, p := range c.puts {
		series := p.cell / fieldCount / timeCount
		if _, ok := at[series]; !ok {
			at[series] = uint32(len(b.Series))
			key := []byte(seriesKeys[series])
			b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key})
		}
		t.Series = append(t.Series, at[series])
		t.Times = append(t.Times, int64(p.cell/fieldCount%timeCount)*timeStep)
		for i := range t.Columns {
			if i == p.cell%fieldCount {
				t.Columns[i].AppendBits(p.value)
			} else {
				t.Columns[i].AppendNull()
			}
		}
	}
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if t.Columns[i].Count() == 0 {
			t.Columns = slices.Delete(t.Columns, i, i+1)
		}
	}
	b.Tables = []model.Table{t}
	return b
}

// drawDelete gives a delete and the cells that it covers.
func drawDelete(rng *rand.Rand) (*model.Batch, change) {
	d := &model.Delete{Range: model.AllTime}
	from, to := 0, timeCount-1
	if rng.IntN(3) > 0 {
		from = rng.IntN(timeCount)
		to = from + rng.IntN(timeCount-from)
		d.Range = model.TimeRange{Min: int64(from) * timeStep, Max: int64(to) * timeStep}
	}
	which := rng.IntN(seriesCount + 2)
	if which < seriesCount {
		d.Where = model.AllOf(model.IsMeasurement(measurement), &model.Predicate{Op: model.Equal, Key: "h", Value: fmt.Sprint(which)})
	}
	c := change{deletes: true}
	for cell := range c.covers {
		series, at := cell/fieldCount/timeCount, cell/fieldCount%timeCount
		c.covers[cell] = (which >= seriesCount || series == which) && from <= at && at <= to
	}
	return &model.Batch{Delete: d}, c
}

// changeOf gives what a batch does.
func changeOf(b *model.Batch) change {
	var c change
	if b.Delete != nil {
		c.deletes = true
		for cell := range c.covers {
			name, tags, _ := model.ParseSeriesKey([]byte(seriesKeys[cell/fieldCount/timeCount]))
			c.covers[cell] = b.Delete.Range.Contains(int64(cell/fieldCount%timeCount)*timeStep) && b.Delete.Where.Holds(name, tags)
		}
		return c
	}
	for i := range b.Tables {
		t := &b.Tables[i]
		for row, at := range t.Times {
			series := slices.IndexFunc(seriesKeys, func(key string) bool {
				return model.HashSeriesKey([]byte(key), hashSeed) == b.Series[t.Series[row]].Hash
			})
			for j := range t.Columns {
				col := &t.Columns[j]
				if col.Has(row) {
					c.puts = append(c.puts, put{cellOf(series, int(at/timeStep), slices.Index(fields, col.Field)), col.Bits[row]})
				}
			}
		}
	}
	return c
}
