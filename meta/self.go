package meta

// Self gives the id of the node that this directory is, 0 before RegisterNode.
func (s *Store) Self() uint64 { return s.identity.ID }
