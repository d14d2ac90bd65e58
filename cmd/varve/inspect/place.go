package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
)

// shard is a shard's directory and what the metadata tells of it.
type shard struct {
	ID       uint64 `json:"shard,omitempty"`
	Dir      string `json:"directory"`
	Database string `json:"database,omitempty"`
	Policy   string `json:"policy,omitempty"`

	start   int64
	dropped bool
}

func (sh *shard) name() string {
	switch {
	case sh.ID == 0:
		return sh.Dir
	case sh.Database == "":
		return fmt.Sprintf("shard %d", sh.ID)
	}
	return fmt.Sprintf("shard %d of %s.%s", sh.ID, sh.Database, sh.Policy)
}

// place is what was asked to be looked at.
type place struct {
	snapshot *meta.Snapshot // nil where there is no copy of the metadata
	shards   []*shard       // by database, policy and time
	live     bool           // a server runs on it
}

const shardsDir = "shards"

// find finds the shards that args name by number or directory, or all of the
// data directory.
func (s *session) find(args []string) (*place, error) {
	p := &place{}
	dirs := map[string]bool{}
	for _, arg := range args {
		dir := filepath.ToSlash(filepath.Clean(arg))
		if _, err := strconv.ParseUint(arg, 10, 64); err == nil {
			dir = path.Join(s.dir(), shardsDir, arg)
		}
		if _, err := s.fs.List(dir); err != nil {
			return nil, err
		}
		if names, err := s.fs.List(path.Join(dir, shardsDir)); err == nil {
			for _, name := range names {
				dirs[path.Join(dir, shardsDir, name)] = true
			}
			continue
		}
		dirs[dir] = true
	}
	if len(args) == 0 {
		names, err := s.fs.List(path.Join(s.dir(), shardsDir))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no data directory: %w", s.dir(), err)
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			dirs[path.Join(s.dir(), shardsDir, name)] = true
		}
	}
	for dir := range dirs {
		sh := &shard{Dir: dir}
		id, err := strconv.ParseUint(path.Base(dir), 10, 64)
		if err == nil && id != 0 && path.Base(path.Dir(dir)) == shardsDir {
			sh.ID = id
		} else if len(args) == 0 {
			continue // not one of the server's
		}
		if err := s.tell(p, sh); err != nil {
			return nil, err
		}
		p.shards = append(p.shards, sh)
	}
	slices.SortFunc(p.shards, func(a, b *shard) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.start, b.start),
			cmp.Compare(a.ID, b.ID), cmp.Compare(a.Dir, b.Dir))
	})
	if p.live && !s.toldLive {
		s.toldLive = true
		fmt.Fprintln(s.errs, "A server runs on this directory: what is shown is of a moment.")
	}
	return p, nil
}

func (s *session) dir() string { return filepath.ToSlash(filepath.Clean(s.dataDir)) }

// tell fills in what the metadata beside a shard tells of it.
func (s *session) tell(p *place, sh *shard) error {
	if sh.ID == 0 {
		return nil
	}
	data := path.Dir(path.Dir(sh.Dir))
	held, err := vfs.Locked(path.Join(data, "lock"))
	if err != nil {
		return err
	}
	p.live = p.live || held
	if p.snapshot == nil {
		snapshot, err := meta.LastCopy(s.fs, path.Join(data, "meta"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			fmt.Fprintf(s.errs, "Names of databases are not known: %v\n", err)
			return nil
		}
		p.snapshot = snapshot
	}
	g, _ := p.snapshot.Shard(sh.ID)
	if g == nil {
		return nil
	}
	sh.start, sh.dropped = g.Start, !g.Live()
	if d, policy := p.snapshot.Policy(g.Policy); policy != nil {
		sh.Database, sh.Policy = d.Name, policy.Name
	}
	return nil
}
