package model

import "errors"

// ErrStale is the kind of an owner's answer to a batch whose version is below
// what it still takes: it does not hold the batch and never will take it
// first-hand. When all owners answer so, the batch may be stamped anew.
var ErrStale = errors.New("stale batch")
