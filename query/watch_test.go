package query

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
)

// ended runs a request and gives what its sink got, when it ended and how.
func (b *bench) ended(t *testing.T, ctx context.Context, text string) (said string, after time.Duration, err error) {
	t.Helper()
	q, err := b.Parse(Request{Text: text, Database: "db"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var sink recorder
	err = b.Execute(ctx, q, &sink)
	return sink.String(), time.Since(began), err
}

// until blocks like a shard that does not answer.
func until(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// stages are where a request can hang. Each gives a bench that hangs there with
// its next SELECT.
var stages = map[string]func(t *testing.T, b *bench){
	"queue": func(t *testing.T, b *bench) {
		slot, err := b.admit.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(slot.leave)
	},
	"schema": func(_ *testing.T, b *bench) { b.storage.schema = until },
	"scan": func(_ *testing.T, b *bench) {
		b.storage.streams = []exec.Stream{exec.Pipe(model.AllTime, func(ctx context.Context, _ func(*exec.Partial) error) error { return until(ctx) })}
	},
	"merge": func(_ *testing.T, b *bench) {
		b.storage.streams = []exec.Stream{exec.Pipe(model.AllTime, func(ctx context.Context, emit func(*exec.Partial) error) error {
			for at := int64(0); ; at++ {
				v := model.Column{Field: model.Field{Type: model.Float}}
				v.AppendBits(0)
				if err := emit(&exec.Partial{Times: []int64{at}, Columns: []model.Column{v}}); err != nil {
					return err
				}
				time.Sleep(time.Millisecond) // time passes where this test runs
			}
		})}
	},
}

func TestARequestEndsAtOnceAtAnyStage(t *testing.T) {
	const soon = 100 * time.Millisecond
	for name, hang := range stages {
		for how, want := range map[string]string{"killed": "query interrupted", "client gone": "", "timeout": "query-timeout limit exceeded"} {
			if how == "timeout" && name == "merge" {
				continue // it hands out rows all the time
			}
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, Config{Concurrent: 1, Queue: 1, Timeout: 10 * time.Second})
					hang(t, b)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					end := 3 * time.Second
					switch how {
					case "killed":
						time.AfterFunc(end, func() {
							if got := b.run(t, Request{Text: "KILL QUERY 1"}); got != "#0\n" {
								t.Errorf("KILL QUERY: %s", got)
							}
						})
					case "client gone":
						time.AfterFunc(end, cancel)
					case "timeout":
						end = 10 * time.Second
					}
					said, after, err := b.ended(t, ctx, "SELECT v FROM m")
					if after < end || after > end+soon {
						t.Errorf("it ended after %v, not at %v", after, end)
					}
					switch {
					case want == "" && !errors.Is(err, context.Canceled):
						t.Errorf("it gave %v", err)
					case want != "" && (err != nil || !strings.HasSuffix(said, "error: "+want+"\n")):
						t.Errorf("it said %.300q, %v", said, err)
					}
					if len(b.Running()) > 0 {
						t.Error("it is still among those that run")
					}
				})
			})
		}
	}
}

// slowSink takes long for each piece.
type slowSink struct {
	recorder
	wait time.Duration
}

func (s *slowSink) Rows(*exec.Rows) error { time.Sleep(s.wait); return nil }

func TestAClientThatIsSlowHoldsUpNobodyAndIsNotTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Concurrent: 1, Queue: 1, Timeout: 10 * time.Second})
		b.storage.list = func(*exec.ListRequest) []exec.Entry { return []exec.Entry{{Measurement: "m"}} }
		q, err := b.Parse(Request{Text: "SHOW MEASUREMENTS", Database: "db"})
		if err != nil {
			t.Fatal(err)
		}
		slow := make(chan error, 1)
		go func() { slow <- b.Execute(t.Context(), q, &slowSink{wait: time.Hour}) }()
		synctest.Wait()
		if _, after, err := b.ended(t, t.Context(), "SHOW MEASUREMENTS"); err != nil || after > 2*slowClient {
			t.Errorf("another request waited for %v, %v", after, err)
		}
		if err := <-slow; err != nil {
			t.Errorf("the slow one ended with %v", err)
		}
		if n := b.admit.aside.Load(); n != 0 || len(b.admit.slots) != 0 {
			t.Errorf("%d requests are aside and %d slots taken though none runs", n, len(b.admit.slots))
		}
	})
}

func TestSlowRequestsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Concurrent: 1, LogAfter: 5 * time.Second})
		b.storage.schema = func(context.Context) error { time.Sleep(time.Minute); return nil }
		b.run(t, Request{Text: "SELECT v FROM m", Database: "db"})
		if n := strings.Count(b.logged.String(), "SELECT v FROM m"); n != 2 ||
			strings.Count(b.logged.String(), `"slow query"`) != 1 || strings.Count(b.logged.String(), `"slow query ended"`) != 1 {
			t.Errorf("%d lines in the log: %s", n, b.logged)
		}
	})
}

func TestAStatementHasItsPartOfTheMemoryOfAll(t *testing.T) {
	b := newBench(t, Config{Concurrent: 1, MaxBytes: 4 << 20})
	pool := memory.NewPool(8<<20, nil)
	b.Share(pool)
	held := pool.Budget(0)
	defer held.Close()
	for _, c := range []struct {
		others, takes int64
		kind          error
	}{{0, 4 << 20, nil}, {0, 5 << 20, model.ErrTooLarge}, {7 << 20, 2 << 20, model.ErrOverloaded}} {
		if err := held.Take(c.others); err != nil {
			t.Fatal(err)
		}
		var got error
		b.storage.schema = func(ctx context.Context) error {
			got = memory.FromContext(ctx).Take(c.takes)
			return got
		}
		said, _, err := b.ended(t, t.Context(), "SELECT v FROM m")
		if !errors.Is(got, c.kind) || err != nil || (c.kind == nil) == strings.Contains(said, "error") {
			t.Errorf("%d bytes beside %d: %v, %v, %s", c.takes, c.others, got, err, said)
		}
	}
	if n := pool.Used(); n > 8<<20 || n < 7<<20 {
		t.Errorf("%d bytes are granted after the statements have ended", n)
	}
}
