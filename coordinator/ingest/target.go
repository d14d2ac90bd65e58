package ingest

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/varvedb/varve/coordinator"
)

// target is where the points of one listener go, and in what portions.
type target struct {
	kind        string // udp, graphite, opentsdb, collectd
	address     string // that is listened on
	database    string
	policy      string // "": the database's default
	consistency string
	size        int // points of a batch
	pending     int // batches that wait to be written
	timeout     time.Duration
}

// Bounds on the settings of batches. Beyond maxBatchBytes a batch is written
// though it has fewer points, so a listener holds at most a few times
// batch-pending of them.
const (
	maxBatchPoints  = 1_000_000
	maxBatchPending = 1000
)

// validate reports the first setting that cannot work.
func (t *target) validate() error {
	if _, _, err := net.SplitHostPort(t.address); err != nil {
		return fmt.Errorf("bind-address %q: not of the form HOST:PORT", t.address)
	}
	if _, err := coordinator.ParseLevel(t.consistency); err != nil {
		return fmt.Errorf("consistency-level %q: not one of any, one, quorum, all", t.consistency)
	}
	switch {
	case t.size < 1 || t.size > maxBatchPoints:
		return fmt.Errorf("batch-size %d: not from 1 to %d", t.size, maxBatchPoints)
	case t.pending < 1 || t.pending > maxBatchPending:
		return fmt.Errorf("batch-pending %d: not from 1 to %d", t.pending, maxBatchPending)
	case t.timeout < 0:
		return errors.New("batch-timeout: below 0")
	}
	return nil
}
