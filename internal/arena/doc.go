// Package arena is memory off the Go heap for bulk data that comes and goes:
// pieces in classes of size, used again instead of being given back to the
// system. The collector neither scans it nor counts it when it decides how much
// garbage may gather, and a piece that is used again costs no page faults,
// which are most of the price of filling fresh memory.
//
// What it takes is freed by hand: a Pool's user counts who still reads a piece.
package arena
