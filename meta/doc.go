// Package meta owns what a cluster must agree on: databases, retention
// policies, shard groups and who keeps their shards, nodes, the type of every
// field, users, tokens and what they may do, continuous queries and subscriptions. It is
// kept in etcd, one key per thing that changes by itself (FORMAT.md), and read
// from memory.
//
// A Store watches etcd and publishes an immutable Snapshot behind one atomic
// pointer: readers take no lock, and go on with the last snapshot while etcd is
// away, also over a restart, since its last copy is kept on disk. Changes are
// transactions; each fails within Config.Timeout with an error of kind
// model.ErrUnavailable when etcd does not answer. After a change has returned,
// the same Store's Snapshot includes it.
//
// That something does not exist is said only after a linearizable read
// (Store.Refresh): clients drop data on such an answer. Store.Database and
// Store.Policy follow that rule.
//
// Nodes come and go (RegisterNode). One that lives keeps a key bound to a lease
// (Snapshot.Alive); that it does not is to be believed only while Store.Away is
// false, which a comparison of the watch with etcd each second sees to. A
// directory that was made anew takes the place of the node that had its name.
// What the owners of shards are is changed step by step, see owners.go.
//
// Names are labels. Databases, policies, groups, shards, nodes, users and
// continuous queries have uids from one counter that are never used twice. What
// belongs to a database or a policy goes with it, and does not come back with
// another of its name.
//
// How far a continuous query has come (Progress) is kept beside the Snapshot: it
// changes with every run, and only the one who runs it asks for it.
//
// What etcd is stands behind the interface KV: package meta/embedded has the
// real one, in this process or elsewhere, package meta/metatest one in memory.
// The work that one elected node does (retention, groups ahead of time) is in
// meta/control.
package meta
