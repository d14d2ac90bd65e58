package querytest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/query"
)

// FuzzStatements runs any text as InfluxQL: it must end, soon after its
// context does, and no statement may panic.
func FuzzStatements(f *testing.F) {
	files, err := filepath.Glob("../../test/influxdiff/cases/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] >= 'A' && line[0] <= 'Z' {
				f.Add(line)
			}
		}
	}
	g := Generator{rand.New(rand.NewPCG(1, 0))}
	lines := []byte(strings.Join(g.Lines(50), "\n"))
	for range 200 {
		f.Add(g.Statement())
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newSession(t, Options{ShardDuration: 3 * time.Hour, GranuleRows: 7})
		if err := s.db.Write("d", "", lines); err != nil {
			t.Fatal(err)
		}
		e := s.db.(onStore).executor
		q, err := e.Parse(query.Request{Text: text, Database: "d", Now: Now, Extensions: true})
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		var p printer
		if err := e.Execute(ctx, q, &p); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Logf("%v", err)
		}
		if took := time.Since(start); took > 20*time.Second { // of 100 ms past its time; machines can be busy
			t.Errorf("ended after %s", took)
		}
		if strings.Contains(p.String(), "internal error: the statement failed") {
			t.Errorf("%q: %s", text, p.String())
		}
	})
}
