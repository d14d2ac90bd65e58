package meta_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

func TestWhatWouldFillTheMetadataIsRefused(t *testing.T) {
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	ctx := t.Context()
	must(t, s.CreateDatabase(ctx, "d", nil))
	refused := func(err error, text string) bool {
		return errors.Is(err, model.ErrTooLarge) && strings.Contains(err.Error(), text)
	}
	if err := s.CreateContinuousQuery(ctx, "d", "q", strings.Repeat("x", 17<<10)); !refused(err, "continuous query too long") {
		t.Errorf("a long continuous query: %v", err)
	}
	destination := "http://" + strings.Repeat("h", 2000) + ":1"
	sub := meta.Subscription{Mode: meta.ToAll, Destinations: make([]string, 33)}
	for i := range sub.Destinations {
		sub.Destinations[i] = destination
	}
	if err := s.CreateSubscription(ctx, "d", "autogen", sub); !refused(err, "too many destinations") {
		t.Errorf("a subscription of 33 destinations: %v", err)
	}
	sub.Destinations = sub.Destinations[:32]
	made := 0
	var err error
	for ; err == nil && made < 100; made++ {
		sub.Name = fmt.Sprint(made)
		err = s.CreateSubscription(ctx, "d", "autogen", sub)
	}
	if !refused(err, "database d has too many retention policies and subscriptions") {
		t.Errorf("subscription %d of 64 KB: %v", made, err)
	}
	must(t, s.CreateDatabase(ctx, "e", nil))
	sub.Destinations = sub.Destinations[:1]
	for i := range 100 {
		sub.Name = fmt.Sprint(i)
		must(t, s.CreateSubscription(ctx, "e", "autogen", sub))
	}
	sub.Name = "one more"
	if err := s.CreateSubscription(ctx, "e", "autogen", sub); !refused(err, "too many subscriptions: the limit is 100") {
		t.Errorf("subscription 101: %v", err)
	}
	for name, err := range map[string]error{
		"user":              s.CreateUser(ctx, strings.Repeat("n", 256), "pw", false),
		"continuous query":  s.CreateContinuousQuery(ctx, "d", strings.Repeat("n", 256), "x"),
		"a user of no text": s.CreateUser(ctx, "\xff", "pw", false),
	} {
		if !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
