package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

func TestReadsSayWhatTheyMustSee(t *testing.T) {
	b := newBench(t, nil)
	var got query.Request
	b.queries.answer = func(_ context.Context, r query.Request, sink query.Sink) error {
		got = r
		if err := sink.Begin(query.Statement{}); err != nil {
			return err
		}
		return sink.End(query.Outcome{Partial: r.Partial, Messages: []query.Message{{Level: "warning", Text: "shard 1 is missing"}}})
	}
	for _, test := range []struct {
		parameters  string
		consistency query.ReadConsistency
		partial     bool
		status      int
	}{
		{"", query.ReadDefault, false, http.StatusOK},
		{"&read_consistency=one", query.ReadOne, false, http.StatusOK},
		{"&read_consistency=QUORUM", query.ReadQuorum, false, http.StatusOK},
		{"&partial=true", query.ReadDefault, true, http.StatusOK},
		{"&partial=1", query.ReadDefault, false, http.StatusOK},
		{"&read_consistency=most", 0, false, http.StatusBadRequest},
	} {
		got = query.Request{}
		w := b.do("GET", "/query?db=db&q=SHOW+MEASUREMENTS"+test.parameters, "")
		if w.Code != test.status || got.Consistency != test.consistency || got.Partial != test.partial {
			t.Errorf("%s: status %d, consistency %d, partial %v", test.parameters, w.Code, got.Consistency, got.Partial)
		}
		if w.Code == http.StatusOK && strings.Contains(w.Body.String(), `"partial":true`) != test.partial {
			t.Errorf("%s: answer %s", test.parameters, w.Body)
		}
	}
	w := b.do("GET", "/query?db=db&q=x&partial=true", "", "Accept", "text/csv")
	if w.Code != http.StatusBadRequest {
		t.Errorf("a partial answer in CSV, which cannot say so, gave %d", w.Code)
	}
}

func TestWritesSayWhatMustBeMet(t *testing.T) {
	b := newBench(t, nil)
	for _, path := range []string{"/write?db=db", "/api/v2/write?bucket=db/rp"} {
		for text, level := range map[string]coordinator.Level{"": coordinator.Default, "any": coordinator.Any, "quorum": coordinator.Quorum} {
			if w := b.do("POST", path+"&consistency="+text, "m v=1"); w.Code != http.StatusNoContent {
				t.Errorf("%s %q: status %d", path, text, w.Code)
			}
			if got := b.writer.got[len(b.writer.got)-1].Level; got != level {
				t.Errorf("%s %q: level %d, want %d", path, text, got, level)
			}
		}
		if w := b.do("POST", path+"&consistency=most", "m v=1"); w.Code != http.StatusBadRequest {
			t.Errorf("%s of an unknown level: status %d", path, w.Code)
		}
	}
	b.writer.err = &model.Error{Kind: model.ErrUnavailable, Text: "write consistency not met: acked 1 of 2 (no answer from c)"}
	w := b.do("POST", "/write?db=db", "m v=1")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("level not met: status %d, header %v", w.Code, w.Header())
	}
}
