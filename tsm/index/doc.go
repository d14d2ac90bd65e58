// Package index knows which series of a shard have which tags.
//
// A series has a dense local id, counted from 0 in the order in which the shard
// first saw it; the id is its row in every structure here and in the segment
// files of the shard. An Index finds a series by the hash of its canonical key;
// a View gives the series of a measurement by a condition on tags, and the tags
// of a series. A condition is evaluated once per distinct value, not once per
// series.
//
// Most of an Index is in immutable files (FORMAT.md), each of a range of ids,
// that are mapped and read where they lie: nothing is loaded at a start, and a
// series in a file takes no memory of the heap. The series since the last file
// are in memory; what the shard has in no file yet is in its log. Write and
// Install move series into files and merge files; when that is to be done, the
// shard decides.
//
// A part of a file is verified when it is touched first. One that is damaged is
// derived from the others; where that cannot be, all that would need it is an
// error: too little is never given for all that there is. View.Check looks for
// damage that nobody has touched, also in parts that were sound once.
//
// A series without data is buried: it keeps its id, but is not listed. Which
// series those are, and when to revive them, the shard decides.
package index
