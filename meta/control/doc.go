// Package control does what one node does for the whole cluster: it marks
// shard groups deleted when their policy no longer keeps them, forgets the
// marks in the end, and makes the next group before its time comes.
//
// All nodes with the role run a Controller; a lease in the metadata store lets
// one of them act, and each act fails if that lease is lost.
package control
