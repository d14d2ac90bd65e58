package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func TestATokenMayWhatItSays(t *testing.T) {
	n, _ := cluster(t)
	ctx := t.Context()
	for _, db := range []string{"d", "e"} {
		must(t, n.store.CreateDatabase(ctx, db, nil))
	}
	create := func(spec meta.TokenSpec, on ...meta.DatabaseGrant) (*meta.Token, string) {
		t.Helper()
		made, secret, err := n.store.CreateToken(ctx, spec, on)
		must(t, err)
		return made, auth.FormatToken(made.UID, secret)
	}
	made, text := create(meta.TokenSpec{Name: "t"}, meta.DatabaseGrant{Database: "d", Privilege: meta.Read}, meta.DatabaseGrant{Database: "e", Privilege: meta.AllPrivileges})
	for _, scheme := range []string{"Token ", "Bearer "} {
		u, err := n.Authenticate(ask(scheme+text, somewhere))
		must(t, err)
		if u.Name() != "token:t" {
			t.Errorf("its name is %q", u.Name())
		}
		checkRights(t, u, "", "d r", "e r", "e w")
	}
	_, all := create(meta.TokenSpec{Name: "all", Admin: true})
	u, err := n.Authenticate(ask("Token "+all, somewhere))
	must(t, err)
	checkRights(t, u, "admin", "d r", "d w", "e r", "e w", "gone r", "gone w")

	refused := func(what, text string) {
		t.Helper()
		if _, err := n.Authenticate(ask("Token "+text, somewhere)); !errors.Is(err, model.ErrUnauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another secret", text[:len(text)-2]+"AA")
	refused("a piece of it", text[:len(text)-1])
	must(t, n.store.RevokeToken(ctx, made.UID))
	refused("revoked", text)
	_, brief := create(meta.TokenSpec{Name: "brief", Admin: true, Expires: time.Now().Add(20 * time.Millisecond)})
	time.Sleep(30 * time.Millisecond)
	refused("expired", brief)
}

func FuzzParseToken(f *testing.F) {
	f.Add("varve_7_AAAA")
	f.Add("varve__")
	f.Fuzz(func(t *testing.T, text string) {
		uid, secret, ok := auth.ParseToken(text)
		if !ok {
			return
		}
		again, same, ok := auth.ParseToken(auth.FormatToken(uid, secret))
		if !ok || again != uid || string(same) != string(secret) {
			t.Errorf("%q is read as %d and %x, and that as %d and %x", text, uid, secret, again, same)
		}
	})
}
