package kinds

import (
	"reflect"
	"testing"
)

func TestColumnsAreTheSameEachTimeAndDifferBetweenSeries(t *testing.T) {
	for _, k := range All() {
		a, b := k.Column(1, 500), k.Column(1, 500)
		if a.Len() != 500 || a.Present != nil || a.Type != k.Type {
			t.Errorf("%s: %d rows of type %v, want 500 of type %v, each with a value", k.Name, a.Len(), a.Type, k.Type)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: two columns of one series differ", k.Name)
		}
		if reflect.DeepEqual(a, k.Column(2, 500)) {
			// Two alarms may both stay silent for so long, numbers may not.
			if k.Name != "gauge of 0 and 1" {
				t.Errorf("%s: two series are the same", k.Name)
			}
		}
	}
}
