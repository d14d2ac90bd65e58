package coordinator

import (
	"errors"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestLevels(t *testing.T) {
	tests := []struct {
		text  string
		level Level
		of3   int
	}{
		{"", Default, 1}, {"any", Any, 1}, {"ONE", One, 1}, {"Quorum", Quorum, 2}, {"all", All, 3},
	}
	for _, test := range tests {
		l, err := ParseLevel(test.text)
		if err != nil || l != test.level || l.Needs(3) != test.of3 {
			t.Errorf("ParseLevel(%q) gave %v, %v, which needs %d of 3; want %v and %d", test.text, l, err, l.Needs(3), test.level, test.of3)
		}
	}
	if _, err := ParseLevel("most"); !errors.Is(err, model.ErrInvalid) || err.Error() != "invalid consistency level" {
		t.Errorf("ParseLevel(%q) gave %v", "most", err)
	}
}
