// Package data is the shards of one node. Node opens them below one directory,
// one directory per shard, runs writes, scans and lists on them and removes
// those whose shard group has gone from the metadata.
//
// Peer is the seam behind which a data node stands for a coordinator, Owner the
// one behind which it stands for the other owners of its shards: Node implements
// both in this process, Client for one elsewhere, which Serve makes reachable.
//
// Node keeps its replicas the same as those of the other owners. The decisions
// are those of package replica; Node carries them out: it tells the others what
// is held here, pulls what is missing, copies what it joins, hands over what it
// leaves, and lets nobody read a replica that may lack something.
//
// What a shard is made of belongs to tsm, which shards there are to meta, and
// which of them a request concerns to coordinator.
package data
