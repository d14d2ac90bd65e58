// Package quota holds clients against what their database and their user may
// take of this node: points written in a second, queries at a time, memory of
// queries. The quotas are in the metadata, so a change of one is in force on
// every node at once; what counts against it is counted by each node for itself.
//
// A Keeper is asked before each write and each query. Who has no quota costs it
// two look-ups. Whatever it refuses passes by itself: model.ErrOverloaded, with
// the time after which to come back.
package quota
