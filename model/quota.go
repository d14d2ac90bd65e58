package model

// Quota bounds what one database or one user may take of a node: each node
// counts what comes to itself. 0 is no bound.
type Quota struct {
	// WritePoints is the points that may be written in a second.
	WritePoints int64
	// Queries is how many requests for results may run at a time.
	Queries int64
	// QueryBytes is what the statements that run may hold together.
	QueryBytes int64
}
