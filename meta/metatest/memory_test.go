package metatest

import (
	"testing"

	"github.com/varvedb/varve/meta"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) meta.KV { return NewMemory() })
}
