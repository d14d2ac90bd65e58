package replica

import (
	"time"

	"github.com/varvedb/varve/model"
)

// Message is what one data node tells another about the shards they share. Of
// a shard that the addressee has acknowledged a statement about and that
// is not mentioned, that statement is still true, up to Cutoff and with Cutoff
// as its floor.
type Message struct {
	From    Self
	To      uint64
	ToStart uint64        // the run of the addressee that all of it is for, but for Ping
	Number  uint64        // counts the messages of this run of the sender to the addressee, from 1
	Got     uint64        // the highest number of the addressee's messages that was taken in whole
	Ping    time.Duration // when it was made, by the sender's Mono; more than 0
	Echo    time.Duration // the Ping of the addressee's last message
	Clock   model.HLC     // a reading of the sender's clock
	Cutoff  model.HLC

	Statements []Statement
}

// Statement is what an owner says of its replica of a shard.
type Statement struct {
	Shard    uint64
	Revision uint64          // of the owner set that it knows
	Floor    model.HLC       // it takes nothing below this first-hand, and has nothing below it that is not durable yet
	Set      *model.BatchSet // the durable batches, but for the latest
}
