package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// firstStart makes what a new cluster is to begin with. The administrator is
// made last: as long as there is none it is not done, and a start that was
// interrupted is made good by the next. That may be long after, when the last
// administrator has gone: a user who has another password then, or is none any more,
// stays as he is.
func (s *server) firstStart(ctx context.Context) error {
	f := &s.cfg.FirstStart
	unfinished := f.Admin.Name != "" && !s.store.Snapshot().HasAdmin()
	if *f == (config.FirstStart{}) || !s.founding && !unfinished || s.store.Away() {
		return nil
	}
	kept := func(name string, err error) bool {
		if s.founding || !errors.Is(err, model.ErrConflict) {
			return false
		}
		s.log.Warn("a user to be made at the first start is there and another, and stays as he is", "user", name)
		return true
	}
	if f.Database != "" {
		if err := s.store.CreateDatabase(ctx, f.Database, nil); err != nil {
			return fmt.Errorf("make the database %q: %w", f.Database, err)
		}
	}
	for _, u := range []struct {
		config.Account
		may meta.Privilege
	}{{f.User, meta.AllPrivileges}, {f.Reader, meta.Read}, {f.Writer, meta.Write}} {
		if u.Name == "" {
			continue
		}
		if err := s.store.CreateUser(ctx, u.Name, u.Password, false); kept(u.Name, err) {
			continue
		} else if err != nil {
			return fmt.Errorf("make the user %q: %w", u.Name, err)
		}
		if f.Database == "" {
			continue
		}
		if err := s.store.Grant(ctx, u.Name, f.Database, u.may); err != nil {
			return fmt.Errorf("grant to the user %q: %w", u.Name, err)
		}
	}
	if f.Admin.Name != "" {
		err := s.store.CreateFirstAdmin(ctx, f.Admin.Name, f.Admin.Password)
		if err != nil && !errors.Is(err, model.ErrForbidden) && !kept(f.Admin.Name, err) { // another node has made one
			return fmt.Errorf("make the administrator %q: %w", f.Admin.Name, err)
		}
	}
	s.log.Info("made what a new cluster begins with", "database", f.Database, "admin", f.Admin.Name)
	return nil
}
