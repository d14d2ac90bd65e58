// Package sim runs a cluster of data nodes in one goroutine, in virtual time:
// the real state machine of replication, the real shards on disks in memory
// that lose what was not synced, the real decisions of the coordinator, and
// around them a network, clocks and a metadata store that do what such things
// do on a bad day. All of it follows from one seed, so a failure can be had
// again; it is shrunk to the steps that matter.
//
// A run has three parts. In the first, faults strike, and after every answer
// and every step on a disk the promises of replication are checked. Then all is
// healed and nothing is written any more: the replicas must become equal
// without a command, in bounded time. At last the content of every replica is
// compared with a model: of each cell the value with the greatest version.
package sim
