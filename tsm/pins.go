package tsm

import (
	"errors"
	"sync"

	"github.com/varvedb/varve/internal/vfs"
)

// pins keeps files that are no part of the shard any more from being removed as
// long as a Snapshot may read them. Segment files have holders of their own.
type pins struct {
	mu struct {
		sync.Mutex
		holders int
		waiting []string // to be removed by the last holder
	}
}

func (p *pins) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.holders++
}

// release ends a hold. What could not be removed is removed at the next start.
func (p *pins) release(fs vfs.FS) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.holders--
	if p.mu.holders > 0 {
		return nil
	}
	var errs []error
	for _, name := range p.mu.waiting {
		errs = append(errs, removeIfAny(fs, name))
	}
	p.mu.waiting = nil
	return errors.Join(errs...)
}

// remove removes a file, now or when nobody holds it.
func (p *pins) remove(fs vfs.FS, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.holders > 0 {
		p.mu.waiting = append(p.mu.waiting, name)
		return nil
	}
	return fs.Remove(name)
}
