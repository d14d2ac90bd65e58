// Package invariant holds checks that are too dear for a release: they run in
// tests, which are built with the tag "invariants", and vanish otherwise.
package invariant
