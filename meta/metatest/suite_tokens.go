package metatest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func tokensAreMadeForgottenAndRevoked(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	ctx := t.Context()
	must(t, a.CreateDatabase(ctx, "d", nil))
	uid := a.Snapshot().Database("d").UID
	on := []meta.DatabaseGrant{{Database: "d", Privilege: meta.Read}, {Database: "d", Privilege: meta.Write}}
	made, secret, err := a.CreateToken(ctx, meta.TokenSpec{Name: "t", Monitor: true}, on)
	must(t, err)
	must(t, b.Refresh(ctx))
	seen := b.Snapshot().Token(made.UID)
	if seen == nil || !seen.Is(secret) || seen.Is(secret[1:]) || seen.Is(nil) || seen.Name != "t" || !seen.Monitor || seen.Admin {
		t.Fatalf("the other node sees %+v", seen)
	}
	if meta.PrivilegeOn(seen.Grants, uid) != meta.AllPrivileges || meta.PrivilegeOn(seen.Grants, uid+1) != meta.NoPrivileges {
		t.Errorf("it may %+v", seen.Grants)
	}
	long := string(make([]byte, 300))
	for _, c := range []struct {
		spec meta.TokenSpec
		on   []meta.DatabaseGrant
		kind error
	}{
		{meta.TokenSpec{Name: "t", Admin: true}, nil, model.ErrConflict},
		{meta.TokenSpec{Name: "u"}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: "", Admin: true}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: "\xff", Admin: true}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: long, Admin: true}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: "31", Admin: true}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: "u", Admin: true, Expires: time.Now().Add(-time.Second)}, nil, model.ErrInvalid},
		{meta.TokenSpec{Name: "u"}, []meta.DatabaseGrant{{Database: "gone", Privilege: meta.Read}}, model.ErrNotFound},
	} {
		if _, _, err := b.CreateToken(ctx, c.spec, c.on); !errors.Is(err, c.kind) {
			t.Errorf("%+v: %v, want %v", c.spec, err, c.kind)
		}
	}
	must(t, b.RevokeToken(ctx, made.UID))
	if err := a.RevokeToken(ctx, made.UID); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("revoked again: %v", err)
	}
	if a.Snapshot().Token(made.UID) != nil || len(a.Snapshot().Tokens()) != 0 {
		t.Error("it is there still")
	}

	// A name is free again once its token has ended.
	_, _, err = a.CreateToken(ctx, meta.TokenSpec{Name: "t", Admin: true, Expires: time.Now().Add(50 * time.Millisecond)}, nil)
	must(t, err)
	time.Sleep(60 * time.Millisecond)
	again, _, err := b.CreateToken(ctx, meta.TokenSpec{Name: "t", Admin: true}, nil)
	must(t, err)
	all := b.Snapshot().Tokens()
	if len(all) != 2 || !slices.ContainsFunc(all, func(t *meta.Token) bool { return t.UID == again.UID }) {
		t.Errorf("there are %d, want the expired one, too", len(all))
	}
}

func racingStoresMakeOneToken(t *testing.T, kv meta.KV) {
	const n = 3
	var made atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		s := OpenStore(t, kv, fmt.Sprint("n", i))
		all.Go(func() {
			_, _, err := s.CreateToken(t.Context(), meta.TokenSpec{Name: "t", Admin: true}, nil)
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, model.ErrConflict):
				t.Errorf("create: %v", err)
			}
		})
	}
	all.Wait()
	s := OpenStore(t, kv, "last")
	if tokens := s.Snapshot().Tokens(); made.Load() != 1 || len(tokens) != 1 {
		t.Errorf("%d made it, there are %d", made.Load(), len(tokens))
	}
}
