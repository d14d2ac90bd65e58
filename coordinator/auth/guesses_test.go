package auth

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestGuessesComeBackWithTime(t *testing.T) {
	g, now := newGuesses(), time.Now()
	from := netip.MustParseAddr("10.0.0.1")
	for range 10 {
		if err := g.take("u", from, now); err != nil {
			t.Fatal(err)
		}
	}
	wait := new(WaitError)
	if err := g.take("u", from, now); !errors.As(err, &wait) || wait.After != 30*time.Second || !errors.Is(err, model.ErrOverloaded) {
		t.Fatalf("the 11th: %v", err)
	}
	now = now.Add(30 * time.Second)
	if err := g.take("u", from, now); err != nil {
		t.Errorf("half a minute later: %v", err)
	}
	if err := g.take("u", from, now); err == nil {
		t.Error("there is one more only")
	}
	g.giveBack("u", from)
	if err := g.take("u", from, now); err != nil {
		t.Errorf("one that was right: %v", err)
	}
	now = now.Add(time.Hour)
	for range 10 {
		if err := g.take("u", from, now); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	}
}

func TestOneAddressCannotGuessOfMany(t *testing.T) {
	g, now := newGuesses(), time.Now()
	from := netip.MustParseAddr("10.0.0.1")
	taken := 0
	for i := range 1000 {
		if g.take(fmt.Sprint("u", i), from, now) == nil {
			taken++
		}
	}
	if taken != 100 {
		t.Errorf("%d guesses were taken", taken)
	}
}

func TestGuessersAreBounded(t *testing.T) {
	g, now := newGuesses(), time.Now()
	for i := range 3 * maxGuessers {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if err := g.take("u", a, now.Add(time.Duration(i))); err != nil {
			t.Fatal(err)
		}
		if len(g.free) > maxGuessers {
			t.Fatalf("%d are kept", len(g.free))
		}
	}
}

func TestAddressesOfOneNetworkOfIPv6AreOne(t *testing.T) {
	for remote, want := range map[string]string{
		"10.1.2.3:4":             "10.1.2.3",
		"[::ffff:10.1.2.3]:4":    "10.1.2.3",
		"[2001:db8:1:2:3::4]:5":  "2001:db8:1:2::",
		"[fe80::1%eth0]:5":       "fe80::",
		"@":                      "invalid IP",
		"not an address at all:": "invalid IP",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		if got := addressOf(r).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

func FuzzCredentials(f *testing.F) {
	for _, s := range []string{"", "Basic YTpi", "Token a:b", "Bearer a.b.c", "Token varve_1_AAAA"} {
		f.Add("u=a&p=b", s)
		f.Add("", s)
	}
	w := newWebTokens("0123456789abcdef0123456789abcdef")
	f.Fuzz(func(t *testing.T, query, authorization string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		c, err := credentialsOf(r)
		switch {
		case err != nil:
			if !errors.Is(err, model.ErrUnauthenticated) {
				t.Errorf("an error of another kind: %v", err)
			}
		case c.kind == byWebToken:
			if name, err := w.user(c.secret); err == nil {
				t.Errorf("a token that nobody signed is of %q", name)
			}
		case c.kind == byPassword && c.name == "":
			t.Error("a password of nobody")
		}
	})
}
