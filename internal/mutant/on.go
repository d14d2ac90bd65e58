//go:build mutants

package mutant

import "sync/atomic"

// Enabled is true in builds with the tag "mutants".
const Enabled = true

var planted atomic.Pointer[Bug]

// Is reports whether a bug is planted.
func Is(b Bug) bool {
	p := planted.Load()
	return p != nil && *p == b
}

// Plant plants one bug in place of the one before; "" is none.
func Plant(b Bug) { planted.Store(&b) }
