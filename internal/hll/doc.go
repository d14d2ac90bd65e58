// Package hll estimates how many different things there are, from their hashes,
// in a few kilobytes. Sketches of parts merge into that of the whole: what is in
// several of them counts once.
//
// Up to maxFew hashes are kept as they are, and counted exactly. Beyond that it is
// HyperLogLog with 2^14 registers, whose standard error is 0.8 %, and the
// estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog
// sketches", 2017, section 2: it needs no tables and has no bias where few
// registers are set.
package hll
