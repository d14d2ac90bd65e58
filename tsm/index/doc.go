// Package index knows which series of a shard have which tags.
//
// A series has a dense local id, counted from 0 in the order in which the shard
// first saw it; the id is its row in every structure here and in the segment
// files of the shard. An Index finds a series by the hash of its canonical key,
// and the series of a measurement by a condition on tags: each measurement has
// its tag keys, each tag key its values, each value a set of ids. A condition
// is evaluated once per distinct value, not once per series.
//
// The whole Index is in memory. WriteFile keeps a range of ids in an immutable
// file (FORMAT.md), ReadFile brings it back; what a shard has seen since the
// last file is in its log. Postings are derived from the keys and not stored.
//
// A series without data is buried: it keeps its id, but is not listed. Which
// series those are, and when to revive them, the shard decides.
package index
