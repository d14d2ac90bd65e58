// Package exec runs plans over columns. At a shard, RunFragment turns granules
// of a Source into partial results: aggregate states by group and window, or
// columns of raw rows. Where the query was asked, Finish merges the partial
// results of all shards, finishes the aggregates and hands out Rows. A subquery is
// finished beside the statement around it, which takes its rows as from a shard.
//
// A fragment can ask for a Report of what it takes at a shard, for EXPLAIN.
//
// Source is what this package needs of a shard and Rows what it makes; List is
// the same split for the statements that show metadata. Parsing, metadata and
// the choice of shards are left to others.
package exec
