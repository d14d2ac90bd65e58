package coordinator

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/subscriber"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func TestSubscribersGetWhatWasStored(t *testing.T) {
	got := make(chan string, 10)
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer to.Close()
	c := newCluster(t, DefaultConfig(), &peer{})
	cfg := subscriber.DefaultConfig()
	cfg.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s, err := subscriber.Open(cfg, c.store, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.writer.CopyTo(s)
	policy := c.store.Snapshot().Database("db").DefaultPolicy
	if err := c.store.CreateSubscription(t.Context(), "db", policy, meta.Subscription{Name: "s", Mode: meta.ToAll, Destinations: []string{to.URL}}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := c.write(t, batch([]row{{"v": 1.0}}, now), Default); err != nil {
		t.Fatal(err)
	}
	if body, want := <-got, fmt.Sprintf("m,t=x v=1 %d\n", now.UnixNano()); body != want {
		t.Errorf("it got %q, want %q", body, want)
	}

	// One row contradicts the type of v, and one write is not stored.
	var partial *PartialWriteError
	if err := c.write(t, batch([]row{{"v": "x"}, {"v": 2.0}}, now, now), Default); !errors.As(err, &partial) {
		t.Fatalf("the write gave %v", err)
	}
	if body, want := <-got, fmt.Sprintf("m,t=x v=2 %d\n", now.UnixNano()); body != want {
		t.Errorf("it got %q, want %q", body, want)
	}
	c.ring.reach(c.ids[0], nil)
	if err := c.write(t, batch([]row{{"v": 3.0}}, now), Default); !errors.Is(err, model.ErrUnavailable) {
		t.Fatalf("the write gave %v", err)
	}
	s.Close()
	if len(got) > 0 {
		t.Errorf("it got %q, which was not stored", <-got)
	}
}
