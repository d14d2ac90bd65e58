package sim

import "fmt"

// Stats counts what was done in runs.
type Stats struct {
	Messages, Acks, Reads, QuorumReads, ReadsFailed, Contents int
	Crashes, Wipes, Pulls, Copies, Leftovers                  int
	Restamps, Resends, Moves, Marks                           int
}

func (s *Stats) add(o *Stats) {
	s.Messages += o.Messages
	s.Acks += o.Acks
	s.Reads += o.Reads
	s.QuorumReads += o.QuorumReads
	s.ReadsFailed += o.ReadsFailed
	s.Contents += o.Contents
	s.Crashes += o.Crashes
	s.Wipes += o.Wipes
	s.Pulls += o.Pulls
	s.Copies += o.Copies
	s.Leftovers += o.Leftovers
	s.Restamps += o.Restamps
	s.Resends += o.Resends
	s.Moves += o.Moves
	s.Marks += o.Marks
}

func (s *Stats) String() string {
	return fmt.Sprintf("%d messages, %d writes acknowledged, %d reads at one, %d at quorum, %d refused, %d times content compared, "+
		"%d crashes, %d disks lost, %d pulls, %d copies, %d leftovers, %d stamped anew, %d sent again as held, %d moves, %d marked for rebuild",
		s.Messages, s.Acks, s.Reads, s.QuorumReads, s.ReadsFailed, s.Contents,
		s.Crashes, s.Wipes, s.Pulls, s.Copies, s.Leftovers, s.Restamps, s.Resends, s.Moves, s.Marks)
}
