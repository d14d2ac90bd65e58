package model_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestColumnsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for range 300 {
		rows := []int{0, 1, 2, 63, 64, 65, 300}[r.IntN(7)]
		times := make([]int64, rows)
		for i := range times {
			times[i] = int64(r.Uint64())
		}
		var columns []model.Column
		for i := range r.IntN(6) {
			columns = append(columns, randomColumn(r, fmt.Sprint("c", i), rows))
		}
		p := model.AppendColumns(nil, times, columns)
		gotTimes, got, rest, err := model.DecodeColumns(append(p, 7), 1<<20)
		if err != nil || len(rest) != 1 || !slices.Equal(gotTimes, times) || len(got) != len(columns) {
			t.Fatalf("%d rows: got %d times, %d columns, %d bytes left, %v", rows, len(gotTimes), len(got), len(rest), err)
		}
		for i := range columns {
			for row := range rows {
				if a, b := columns[i].Value(row), got[i].Value(row); fmt.Sprint(a) != fmt.Sprint(b) {
					t.Fatalf("column %d, row %d: got %v, want %v", i, row, b, a)
				}
			}
		}
		for n := range p {
			if _, _, _, err := model.DecodeColumns(p[:n], 1<<20); !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("%d of %d bytes gave %v, want ErrCorrupt", n, len(p), err)
			}
		}
	}
}

func TestColumnsOverTheBudgetAreRefused(t *testing.T) {
	columns := []model.Column{{Field: model.Field{Type: model.Float}, Bits: make([]uint64, 1<<20)}}
	p := model.AppendColumns(nil, make([]int64, 1<<20), columns) // 40 bytes or so
	if _, _, _, err := model.DecodeColumns(p, 1<<20); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func FuzzDecodeColumns(f *testing.F) {
	r := seeded.Rand(f)
	for rows := range 3 {
		c := []model.Column{randomColumn(r, "a", rows), randomColumn(r, "", rows)}
		f.Add(model.AppendColumns(nil, make([]int64, rows), c))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		times, columns, _, err := model.DecodeColumns(p, 1<<18)
		if err != nil {
			return
		}
		for i := range columns {
			if columns[i].Len() != len(times) {
				t.Errorf("column of %d rows beside %d times", columns[i].Len(), len(times))
			}
		}
	})
}
