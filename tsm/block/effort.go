package block

// Effort says how much time may go into making blocks small.
type Effort uint8

const (
	Fast Effort = iota // what stays in memory for a short time: bit-packing, no code tables
	Hot                // what is written while data comes in
	Cold               // what is written once and kept
)
