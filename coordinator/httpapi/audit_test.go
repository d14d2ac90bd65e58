package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator/audit"
	"github.com/varvedb/varve/internal/vfs"
)

// What is open to everyone must not push the rest out of the audit log.
func TestRequestsOfNobodyAreRecordedWithinBounds(t *testing.T) {
	for _, c := range []struct {
		user    string
		bounded bool
	}{{"", true}, {"admin", false}} {
		s := guardedServer(t, &fakeAuth{}, func(cfg *Config) { cfg.DebugOpen = c.user == "" })
		reg := prometheus.NewRegistry()
		log, err := audit.Open(vfs.NewMem(), "audit.log", audit.DefaultConfig(), slog.New(slog.DiscardHandler), reg)
		if err != nil {
			t.Fatal(err)
		}
		s.parts.Audit = log
		s.echo = s.routes()
		for range 1000 {
			r := httptest.NewRequest("GET", "/debug/pprof/cmdline", http.NoBody)
			r.Header.Set("X-User", c.user)
			w := httptest.NewRecorder()
			if s.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
				t.Fatalf("%q is answered by %d", c.user, w.Code)
			}
		}
		left := 0.0
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasSuffix(f.GetName(), "audit_left_out_total") {
				left = f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		if (left > 0) != c.bounded {
			t.Errorf("of 1000 requests of %q %v were left out", c.user, left)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
