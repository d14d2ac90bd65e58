package embedded

import (
	"fmt"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// etcd gives up when it cannot write its log or its database, so it is not asked
// to write when the disk is as good as full. Shards stop taking rows long before,
// so it takes another program to get there.
const (
	// reservedBytes is room for the next files of the log and for the database
	// to grow by a step.
	reservedBytes = 16 << 20
	// reservedForRemoval is what must be free for changes that remove something:
	// they may be what makes room.
	reservedForRemoval = walBytes
)

// checkSpace refuses changes with model.ErrUnavailable when the disk is full.
func (s *Server) checkSpace(ops []meta.Op) error {
	free, err := s.free()
	if err != nil {
		return fmt.Errorf("change metadata: %w: %w", model.ErrUnavailable, err)
	}
	need := uint64(reservedBytes)
	for _, op := range ops {
		if op.Delete {
			need = reservedForRemoval
		}
	}
	if free < need {
		return fmt.Errorf("change metadata: disk is full: %d bytes free, %d reserved: %w", free, need, model.ErrUnavailable)
	}
	return nil
}

// checkSpaceToRun says in an error that there is no room even for what other
// members send: etcd stops before it meets that.
func (s *Server) checkSpaceToRun() error {
	free, err := s.free()
	if err == nil && free < reservedForRemoval {
		err = fmt.Errorf("disk is full: %d bytes free, %d needed; etcd here runs again after the next start", free, reservedForRemoval)
	}
	return err
}

// checkSpaceToStart says in an error what etcd would end the process for.
func checkSpaceToStart(dir string) error {
	if err := vfs.MkdirAll(vfs.OS, dir); err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	free, err := vfs.OS.Free(dir)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	if free < reservedForRemoval {
		return fmt.Errorf("start etcd in %s: the disk is full: %d bytes free, %d needed", dir, free, reservedForRemoval)
	}
	return nil
}

// freeIn gives a function that says how much room there is in a directory.
func freeIn(dir string) func() (uint64, error) {
	return func() (uint64, error) { return vfs.OS.Free(dir) }
}
