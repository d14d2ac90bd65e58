package meta

// Self gives the id of the node that this directory is, 0 before RegisterNode.
func (s *Store) Self() uint64 { return s.identity.ID }

// Start gives the number of this start of the directory, counted from 1, and 0
// before RegisterNode.
func (s *Store) Start() uint64 { return s.identity.Starts }
