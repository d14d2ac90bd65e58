// Package fanout decides how one stamped batch gets to the owners of its shard:
// whom to send it to, what to do about their answers, and when the level that
// the client asked for is met. It does no I/O, knows no clock and starts no
// goroutine: a Write takes answers and gives Effects. Package coordinator
// carries them out over peers, the simulator over a network of its own.
//
// The rules are those of a write in the design of replication:
//
//   - Only active and leaving owners are sent to and counted. While one is
//     leaving the level must be met among the owners before the move and among
//     those after it.
//   - Of a quorum, owners that must copy their replica anew are members that
//     do not answer.
//   - An owner that answers "stale" does not hold the batch and will not take it
//     first-hand. Once another owner holds the batch it is sent again, naming
//     that one, and is taken like a pull.
//   - Only when every owner it was sent to has said that it does not hold the
//     batch, and one found it stale, is it stamped anew, once. An owner that
//     failed in any other way may hold it.
//   - The owner in this process is one like any other.
package fanout
