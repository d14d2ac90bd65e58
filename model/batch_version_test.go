package model

import (
	"errors"
	"testing"
)

func TestBatchVersionIsThatOfTheDecodedBatch(t *testing.T) {
	id := BatchID{Origin: 3, Epoch: 1 << 63, Seq: 77}
	b := &Batch{ID: id, Version: Version{HLC: 12345, ID: id}, Delete: &Delete{Range: AllTime}}
	p := AppendBatch(nil, b)
	got, err := BatchVersion(p)
	if err != nil || got != b.Version {
		t.Errorf("BatchVersion = %v, %v, want %v", got, err, b.Version)
	}
	if _, err := BatchVersion(p[:20]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("of 20 bytes: %v, want ErrCorrupt", err)
	}
	p[0] = 9
	if _, err := BatchVersion(p); !errors.Is(err, ErrNotSupported) {
		t.Errorf("of another format: %v, want ErrNotSupported", err)
	}
}
