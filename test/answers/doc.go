// Package answers tests that statements have the same answers wherever their
// rows are: in the memtable of one shard, in its files, or with three nodes.
// The nodes are in this process, with disks and metadata in memory and calls
// over loopback.
package answers
