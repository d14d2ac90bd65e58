package metatest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func usersAreMadeChangedAndDropped(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	ctx := t.Context()
	step := func(what string, err error, want string) {
		t.Helper()
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	const none = "<nil>"
	step("create", a.CreateUser(ctx, "u", "pw", false), none)
	step("create again", b.CreateUser(ctx, "u", "pw", false), none)
	step("create with another password", b.CreateUser(ctx, "u", "other", false), "user already exists")
	step("create as administrator", b.CreateUser(ctx, "u", "pw", true), "user already exists")
	step("create without a name", b.CreateUser(ctx, "", "pw", true), "username required")
	step("create an administrator", b.CreateUser(ctx, "a/b c", "", true), none)
	step("set password", b.SetPassword(ctx, "u", "other"), none)
	step("set password of nobody", b.SetPassword(ctx, "nobody", "x"), "user not found")
	step("create with the new password", a.CreateUser(ctx, "u", "other", false), none)
	step("create with the old password", a.CreateUser(ctx, "u", "pw", false), "user already exists")
	step("make administrator", a.SetAdmin(ctx, "u", true), none)
	step("make nobody administrator", a.SetAdmin(ctx, "nobody", true), "user not found")
	must(t, b.Refresh(ctx))
	var got []string
	for _, u := range b.Snapshot().Users() {
		got = append(got, fmt.Sprint(u.Name, u.Admin))
	}
	if want := []string{"utrue", "a/b ctrue"}; !reflect.DeepEqual(got, want) {
		t.Errorf("users %q, want %q", got, want)
	}
	step("drop", b.DropUser(ctx, "u"), none)
	step("drop again", a.DropUser(ctx, "u"), "user not found")
	if _, err := a.User(ctx, "u"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("dropped user: %v", err)
	}
	if !a.Snapshot().HasAdmin() {
		t.Error("no administrator is left")
	}
	step("demote", a.SetAdmin(ctx, "a/b c", false), none)
	if a.Snapshot().HasAdmin() {
		t.Error("an administrator is left")
	}
}

func grantsAreOfOneDatabaseNotOfItsName(t *testing.T, kv meta.KV) {
	s := OpenStore(t, kv, "a")
	ctx := t.Context()
	must(t, s.CreateUser(ctx, "u", "pw", false))
	for _, db := range []string{"d", "e"} {
		must(t, s.CreateDatabase(ctx, db, nil))
		must(t, s.Grant(ctx, "u", db, meta.AllPrivileges))
	}
	may := func(db string) meta.Privilege { return s.Snapshot().User("u").Privilege(s.Snapshot().Database(db).UID) }
	must(t, s.Revoke(ctx, "u", "d", meta.Read))
	if may("d") != meta.Write || may("e") != meta.AllPrivileges {
		t.Errorf("privileges %d and %d", may("d"), may("e"))
	}
	must(t, s.Grant(ctx, "u", "d", meta.Read))
	if may("d") != meta.Read {
		t.Errorf("READ in place of WRITE is %d", may("d"))
	}
	must(t, s.Revoke(ctx, "u", "d", meta.AllPrivileges))
	if may("d") != meta.NoPrivileges || len(s.Snapshot().User("u").Grants) != 2 {
		t.Errorf("after REVOKE: %+v", s.Snapshot().User("u").Grants)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{s.Grant(ctx, "nobody", "nope", meta.Read), "user not found"},
		{s.Grant(ctx, "u", "nope", meta.Read), "database not found: nope"},
		{s.Revoke(ctx, "u", "nope", meta.Read), "database not found: nope"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v, want %q", c.err, c.want)
		}
	}
	must(t, s.DropDatabase(ctx, "e"))
	must(t, s.CreateDatabase(ctx, "e", nil))
	if may("e") != meta.NoPrivileges {
		t.Error("a grant came back with the name of its database")
	}
	must(t, s.Grant(ctx, "u", "e", meta.Read))
	if n := len(s.Snapshot().User("u").Grants); n != 2 {
		t.Errorf("%d grants are kept, one of a database that was dropped", n)
	}
}

// Of stores that make a user of one name with passwords of their own one wins.
func racingStoresMakeOneUser(t *testing.T, kv meta.KV) {
	const n = 3
	var made sync.Map
	var all sync.WaitGroup
	for i := range n {
		s := OpenStore(t, kv, fmt.Sprint("n", i))
		all.Go(func() {
			err := s.CreateUser(t.Context(), "u", fmt.Sprint("pw", i), false)
			switch {
			case err == nil:
				made.Store(i, true)
			case !errors.Is(err, model.ErrConflict):
				t.Errorf("create: %v", err)
			}
		})
	}
	all.Wait()
	won := 0
	made.Range(func(any, any) bool { won++; return true })
	s := OpenStore(t, kv, "last")
	if users := s.Snapshot().Users(); won != 1 || len(users) != 1 {
		t.Errorf("%d made it, there are %d", won, len(users))
	}
}

func racingStoresMakeOneFirstAdmin(t *testing.T, kv meta.KV) {
	const stores, n = 3, 50
	var made atomic.Int64
	var all sync.WaitGroup
	for i := range stores {
		s := OpenStore(t, kv, fmt.Sprint("n", i))
		for j := range n / stores {
			all.Go(func() {
				err := s.CreateFirstAdmin(t.Context(), fmt.Sprintf("admin%d-%d", i, j), "pw")
				switch {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, model.ErrForbidden) && !errors.Is(err, model.ErrUnavailable): // some wait long
					t.Errorf("create: %v", err)
				}
			})
		}
	}
	all.Wait()
	s := OpenStore(t, kv, "last")
	if users := s.Snapshot().Users(); made.Load() != 1 || len(users) != 1 || !users[0].Admin {
		t.Errorf("%d made one, there are %d", made.Load(), len(users))
	}
}
