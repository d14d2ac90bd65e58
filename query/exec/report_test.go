package exec

import (
	"errors"
	"reflect"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

func TestReportsComeBack(t *testing.T) {
	want := &Report{Shard: 7, Node: 3}
	for i, n := range want.numbers() {
		*n = int64(i) * 1e12
	}
	b := AppendPartial(nil, &Partial{Report: want})
	got, err := DecodePartial(b, &plan.Fragment{Report: plan.RunReport})
	if err != nil || !reflect.DeepEqual(got, &Partial{Report: want}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := DecodePartial(b, &plan.Fragment{}); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("a report that nobody asked for gave %v, want ErrCorrupt", err)
	}
}
