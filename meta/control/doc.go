// Package control does what one node does for the whole cluster: it marks
// shard groups deleted when their policy no longer keeps them, forgets the
// marks in the end, makes the next group before its time comes, and sees to it
// that every shard has the owners that it is to have.
//
// All nodes with the role run a Controller; a lease in the metadata store lets
// one of them act, and each act fails if that lease is lost.
//
// What a shard needs is found from a Snapshot alone, again at each look: an
// owner in the place of one that is absent for too long, one more or one less
// for the replication factor, one in the place of one that is to be emptied, or
// what a plan to even out the load says (Plan, meta.Rebalance). The controller
// only begins a move or gives it up; the owners take the steps in between by
// themselves. So a controller may be killed anywhere, and the next one goes on.
package control
