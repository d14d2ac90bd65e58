// Package hlc is the hybrid logical clock of a node: readings that never repeat
// and never go backwards, whatever the wall clock and the power do. Coordinators
// stamp batches with it, owners tell it as their floor. FORMAT.md shows what it
// keeps on disk.
package hlc
