package adminapi

import "time"

// Queries is what runs on the nodes.
type Queries struct {
	Queries []Query  `json:"queries"`
	Lacking []string `json:"lacking,omitempty"` // nodes that did not answer
}

// Query is a request that runs, and what it has cost so far.
type Query struct {
	Node     uint64        `json:"node"`
	Host     string        `json:"host"`
	ID       uint64        `json:"id"`
	Text     string        `json:"text"`
	Database string        `json:"database"`
	User     string        `json:"user,omitempty"`
	Age      time.Duration `json:"age"`
	Killed   bool          `json:"killed,omitempty"` // it is ending
	Memory   int64         `json:"memory"`           // bytes that it holds at its node
	Series   int64         `json:"series"`           // read
	Points   int64         `json:"points"`           // read
	Rows     int64         `json:"rows"`             // answered
	Busy     time.Duration `json:"busy"`             // that shards have worked for it
}
