// Package plan turns a parsed SELECT into what is to be run where.
//
// Compile checks a statement as far as that can be done without knowing what
// is stored, with InfluxDB's error texts, and gives a Select: the measurements
// and the times that it reads. The caller looks up the fields and tags of the
// measurements in the shards of that range and hands them to Select.Bind,
// which resolves wildcards, regular expressions and types and gives a Bound:
// one Fragment per measurement, to be run at every shard that may hold rows of
// it, and the final part, which merges what the shards answer.
//
// A subquery is bound like a statement, for the range, the windows and the groups
// of the one around it. A fragment that reads it has it as Fragment.Inner and is
// run where the statement runs.
//
// A Fragment is plain data without syntax trees, so that it can go to another
// node. Expressions in fragments and in the final part are Expr trees of this
// package, whose types are known.
package plan
