package model_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func cmpInt[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

func TestVersionsOrderByClockThenBatch(t *testing.T) {
	ordered := []model.Version{
		{},
		{HLC: 1, ID: model.BatchID{Origin: 9, Epoch: 9, Seq: 9}},
		{HLC: 2, ID: model.BatchID{Origin: 1, Epoch: 1, Seq: 5}},
		{HLC: 2, ID: model.BatchID{Origin: 1, Epoch: 2, Seq: 1}},
		{HLC: 2, ID: model.BatchID{Origin: 1, Epoch: 2, Seq: 2}},
		{HLC: 2, ID: model.BatchID{Origin: 2}},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); got != cmpInt(i, j) || a.Less(b) != (i < j) {
				t.Errorf("%v.Compare(%v) = %d, Less = %t", a, b, got, a.Less(b))
			}
		}
	}
}

func TestClockReadingKeepsMilliseconds(t *testing.T) {
	at := time.UnixMilli(1_600_000_000_123)
	h := model.NewHLC(at)
	if !h.Time().Equal(at) || !(h + 1).Time().Equal(at) {
		t.Errorf("NewHLC(%v).Time() = %v", at, h.Time())
	}
	if model.NewHLC(at.Add(time.Millisecond)) <= h+0xffff {
		t.Error("the counter of one millisecond reaches into the next")
	}
}
