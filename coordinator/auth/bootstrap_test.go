package auth_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/query"
)

var discard = slog.New(slog.DiscardHandler)

func TestTheFirstAdministratorIsMadeFromHereOrWithTheToken(t *testing.T) {
	store := metatest.OpenStore(t, metatest.NewMemory(), "a")
	dir := t.TempDir()
	file := filepath.Join(dir, "bootstrap-token")
	must(t, os.WriteFile(file, []byte("of an earlier run"), 0o644))
	b := auth.NewBootstrap(store, vfs.OS, dir, discard)
	a, err := auth.New(auth.DefaultConfig(), store, b, nil)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { b.Run(ctx) })
	defer done.Wait()
	defer cancel()
	var token string
	await(t, func() bool {
		text, err := os.ReadFile(file)
		token = strings.TrimSpace(string(text))
		return err == nil && strings.HasPrefix(token, "varve_bootstrap_") && strings.HasSuffix(string(text), "\n")
	})
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is of mode %v, %v", info.Mode(), err)
	}
	const here = "127.0.0.1:9"
	for _, c := range []struct {
		authorization, from, header string
		founds                      bool
	}{
		{"", here, "", true},
		{"", "[::1]:9", "", true},
		{"", "[::ffff:127.0.0.1]:9", "", true},
		{basic("admin", "secret"), here, "", true},
		{"", here, "X-Forwarded-For", false},
		{"", here, "Forwarded", false},
		{"", here, "Origin", false},
		{"", here, "Sec-Fetch-Site", false},
		{"", somewhere, "", false},
		{"", "@", "", false},
		{"Token " + token, somewhere, "", true},
		{"Bearer " + token, somewhere, "X-Forwarded-For", true},
		{"Token " + token + "x", somewhere, "", false},
		{"Token varve_bootstrap_", somewhere, "", false},
		{"Token ", somewhere, "", false},
	} {
		r := ask(c.authorization, c.from)
		if c.header != "" {
			r.Header.Set(c.header, "x")
		}
		u, err := a.Authenticate(r)
		if nobody, ok := u.(query.Nobody); err != nil || !ok || nobody.Founds != c.founds {
			t.Errorf("%.16q from %s with %q: %+v, %v", c.authorization, c.from, c.header, u, err)
		}
	}
	must(t, store.CreateUser(t.Context(), "admin", "secret", true))
	if _, err := a.Authenticate(ask("Token "+token, here)); err == nil {
		t.Error("the token is taken though there is an administrator")
	}
	await(t, func() bool { _, err := os.Stat(file); return os.IsNotExist(err) })
}

func TestUsersAreKnownAlsoWithoutAnAdministrator(t *testing.T) {
	n, _ := cluster(t)
	must(t, n.store.SetAdmin(t.Context(), "admin", false))
	must(t, n.store.CreateDatabase(t.Context(), "d", nil))
	must(t, n.store.Grant(t.Context(), "u", "d", meta.Write))
	u, err := n.Authenticate(ask(basic("u", "pw"), somewhere))
	if err != nil {
		t.Fatal(err) // collectors would throw away what they have
	}
	checkRights(t, u, "", "d w")
	if _, err := n.Authenticate(ask(basic("u", "wrong"), somewhere)); err == nil {
		t.Error("a wrong password is taken")
	}
	if u, err := n.Authenticate(ask("", "127.0.0.1:9")); err != nil || u != (query.Nobody{Founds: true}) {
		t.Errorf("without credentials: %v, %v", u, err)
	}
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}
