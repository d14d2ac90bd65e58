package tsm

import "fmt"

// Damaged says what of the shard was found damaged since it was opened: a
// quarantined file, or records of the log. It cannot be read or given to others
// any more, so this replica must be rebuilt. Nil is that nothing was.
func (s *Shard) Damaged() error {
	if err := s.logDamage.Load(); err != nil {
		return *err
	}
	if err := s.index.Damage(); err != nil {
		return fmt.Errorf("shard %s: %w", s.dir, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.mu.files {
		if err := f.err(); err != nil {
			return fmt.Errorf("shard %s: %w", s.dir, err)
		}
	}
	return nil
}

// noteLogDamage keeps the first reason.
func (s *Shard) noteLogDamage(err error) {
	err = fmt.Errorf("shard %s: log is damaged: %w", s.dir, err)
	if s.logDamage.CompareAndSwap(nil, &err) {
		s.log.Error("log is damaged", "dir", s.dir, "err", err)
	}
}
