// Package data is the shards of one node. Node opens them below one directory,
// one directory per shard, runs writes, scans and lists on them and removes
// those whose shard group has gone from the metadata.
//
// Peer is the seam behind which a data node stands for a coordinator: Node
// implements it in this process.
//
// What a shard is made of belongs to tsm, which shards there are to meta, and
// which of them a request concerns to coordinator.
package data
