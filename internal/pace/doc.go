// Package pace bounds how much passes in a second: bytes that are copied from
// other nodes or that background work reads and writes (Pace), lines of the log
// that others cause (Lines). Sleep waits and can be ended.
package pace
