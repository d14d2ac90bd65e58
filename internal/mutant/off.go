//go:build !mutants

package mutant

// Enabled is true in builds with the tag "mutants".
const Enabled = false

// Is reports whether a bug is planted: never in this build.
func Is(Bug) bool { return false }
