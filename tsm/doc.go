// Package tsm is the storage engine: one shard in one directory that is
// complete by itself.
//
// A Shard takes batches (rows, or a delete) and answers scans. A batch goes
// into the log (tsm/wal), then into the memtable, then the log is synced, then
// the batch is published to readers, then the writer is answered: a reader
// never sees what a crash could take back. A memtable that is full is packed: put
// in order and encoded as a segment in memory, which is read as a file is. A flush
// turns the memtables into a segment file (tsm/segment) and lets the log go;
// compaction merges segment files. Which series exist, and their tags, is in
// tsm/index. What files make up the shard is in the manifest, whose format is in
// FORMAT.md.
//
// The content of a shard is a function of the set of batches it holds: of two
// values of a cell (series, field, time) the one of the batch with the greater
// version is the value, and a delete hides what it covers of lower versions.
// Arrival order does not matter.
//
// So owners of a shard that hold the same set agree (Digest), whatever their
// files; a shard keeps its log until all owners have what is in it (Fetch), and
// a new owner begins with a copy of the files (Snapshot, Install). What is known
// of the other owners is handed in (Replication).
//
// Tools look at a shard by View and Inspect, which change nothing, also while a
// server has it.
//
// Nothing happens in the background unless Config.Worker is set: without one
// the caller packs, flushes and compacts.
package tsm
