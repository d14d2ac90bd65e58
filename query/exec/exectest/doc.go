// Package exectest has a query/exec.Source over rows in memory, for tests of
// what reads one.
package exectest
