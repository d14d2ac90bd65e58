package meta

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestHashesAreThoseOfInfluxDB(t *testing.T) {
	h := newHashing()
	for _, c := range []struct{ hash, password string }{ // made by InfluxDB 1.8.10
		{"$2a$10$i57eYIlBNRVf8e80LyOy5ufuD0HrwXht7RvJ8UuIgqt.enmOprANa", "pässword"},
		{"$2a$10$zMKdXq40JbFjqUNxiHGryegD8A6TPyfj4iUIoP.TgWWY00VNz9mc.", strings.Repeat("long ", 20)},
		{"$2a$10$zMKdXq40JbFjqUNxiHGryegD8A6TPyfj4iUIoP.TgWWY00VNz9mc.", strings.Repeat("long ", 20)[:72] + "whatever"},
	} {
		if ok, err := h.matches(t.Context(), c.hash, c.password); !ok || err != nil {
			t.Errorf("password %q: %v, %v", c.password, ok, err)
		}
		if ok, err := h.matches(t.Context(), c.hash, c.password[1:]); ok || err != nil {
			t.Errorf("password %q: %v, %v", c.password[1:], ok, err)
		}
		made, err := h.hash(t.Context(), c.password)
		if err != nil || !strings.HasPrefix(made, "$2a$10$") || len(made) != len(c.hash) {
			t.Errorf("hash of %q is %s, %v", c.password, made, err)
		}
		if ok, err := h.matches(t.Context(), made, c.password); !ok || err != nil {
			t.Errorf("password %q of its own hash: %v, %v", c.password, ok, err)
		}
	}
}

func TestHashingWaitsForATurnAndCanBeGivenUp(t *testing.T) {
	h := newHashing()
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("hash gave %v", err)
	}
	<-h.slots
	if _, err := h.hash(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}
