//go:build invariants

package invariant

import "fmt"

// Enabled is true in builds with the tag "invariants".
const Enabled = true

// Check panics when ok is false. Guard arguments that are dear to compute with
// "if invariant.Enabled".
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}
