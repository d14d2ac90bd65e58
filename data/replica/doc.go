// Package replica decides how the replicas of shards stay the same. It is a
// state machine without I/O, clock or goroutine: Node holds what one data node
// knows of its shards and of what their other owners have said, is told of
// events with the time at which they happen, and is asked what to do.
//
// What changes a shard is a batch with an id and a version. An owner that holds
// the same set of batches as another has the same content, whatever the order of
// arrival. Each owner states to the others the set of batches that it holds
// durably, up to a cut-off in the recent past; who lacks some of them pulls
// them. A statement comes with a floor: a version below which that owner takes
// nothing first-hand any more. When an owner holds all that the others have
// stated, the lowest of the floors is the frontier: a version below which no
// batch can arrive anywhere, so that files need no versions below it and deletes
// can be forgotten.
//
// A statement is part of every message to another owner until that has
// acknowledged it, and is left out from then on until it changes: a shard of
// which a message says nothing is as it was. So a shard at rest costs nothing.
//
// Two principles run through the rules. What is promised must outlive who
// promised: a floor told, a batch said to be held is durable before it is said.
// And what owners say holds for one set of owners, known by its revision, and
// one run of the speaker, known by the count of its starts; statements made
// under different ones are never combined.
//
// The files and logs belong to tsm, the connections and disks to data, which
// drives a Node.
package replica
