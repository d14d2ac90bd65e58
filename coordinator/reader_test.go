package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// written gives a cluster with shards of now and of a year ago.
func written(t *testing.T, peers ...*peer) *cluster {
	t.Helper()
	c := newCluster(t, DefaultConfig(), peers...)
	for _, at := range []time.Time{time.Now(), time.Now().Add(-365 * 24 * time.Hour)} {
		if err := c.write(t, batch([]row{{"v": 1.0}}, at), One); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func allOf(policy string) query.Shards {
	return query.Shards{Database: "db", Policy: policy, Range: model.AllTime}
}

// drain gives how many partials a stream has.
func drain(t *testing.T, s exec.Stream) (int, error) {
	t.Helper()
	defer s.Close()
	for n := 0; ; n++ {
		if _, err := s.Next(t.Context()); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

func emits(n int, err error) func(func(*exec.Partial) error) error {
	return func(emit func(*exec.Partial) error) error {
		for range n {
			if err := emit(&exec.Partial{}); err != nil {
				return err
			}
		}
		return err
	}
}

func TestStreamsComeInOrderOfTime(t *testing.T) {
	c := written(t, &peer{scan: emits(1, nil)})
	for _, descending := range []bool{false, true} {
		streams, err := c.reader.Scan(t.Context(), nil, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime, Descending: descending})
		if err != nil || len(streams) != 2 {
			t.Fatalf("Scan gave %d streams, %v; want 2", len(streams), err)
		}
		if rising := streams[0].Range().Min < streams[1].Range().Min; rising == descending {
			t.Errorf("descending %v: streams of %v, then %v", descending, streams[0].Range(), streams[1].Range())
		}
		for _, s := range streams {
			if n, err := drain(t, s); n != 1 || err != nil {
				t.Errorf("stream gave %d partials, %v", n, err)
			}
		}
	}
}

func TestAnotherOwnerAnswersWhenOneFails(t *testing.T) {
	bad := &peer{scan: emits(0, model.ErrCorrupt), err: model.ErrCorrupt}
	c := written(t, bad, &peer{scan: emits(3, nil)})
	streams, err := c.reader.Scan(t.Context(), nil, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		if n, err := drain(t, s); n != 3 || err != nil {
			t.Errorf("stream gave %d partials, %v; want the 3 of the other owner", n, err)
		}
	}
	schemas, err := c.reader.Schema(t.Context(), nil, allOf(""), nil)
	if err != nil || len(schemas) != 1 || schemas[0].Policy != "autogen" || schemas[0].Name != "m" || fmt.Sprint(schemas[0].TagKeys) != "[t]" {
		t.Errorf("Schema gave %+v, %v", schemas, err)
	}
}

func TestAnswerIsNeverMadeOfFewerShards(t *testing.T) {
	c := written(t, &peer{scan: emits(0, model.ErrCorrupt), err: errors.New("disk gone")})
	wants := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "shard") {
			t.Errorf("%s gave %v, want an error that names the shard", what, err)
		}
	}
	_, err := c.reader.Schema(t.Context(), nil, allOf("autogen"), nil)
	wants("Schema", err)
	_, err = c.reader.List(t.Context(), nil, []query.Shards{allOf("autogen")}, &exec.ListRequest{Kind: exec.ListSeries})
	wants("List", err)
	streams, err := c.reader.Scan(t.Context(), nil, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		_, err := drain(t, s)
		wants("Scan", err)
	}
}

func TestAnswerThatHasBegunIsNotBegunAgain(t *testing.T) {
	broken := errors.New("connection lost")
	c := written(t, &peer{scan: emits(2, broken)}, &peer{scan: emits(5, nil)})
	streams, err := c.reader.Scan(t.Context(), nil, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		if n, err := drain(t, s); n != 2 || !errors.Is(err, broken) {
			t.Errorf("stream gave %d partials, %v; want 2 and the error", n, err)
		}
	}
}

func TestMistakeOfTheRequestIsNotTriedElsewhere(t *testing.T) {
	limit := &model.Error{Kind: model.ErrInvalid, Text: "max-select-point limit exceeded: (3/2)"}
	asked := 0
	count := func(func(*exec.Partial) error) error { asked++; return limit }
	c := written(t, &peer{scan: count}, &peer{scan: count})
	streams, err := c.reader.Scan(t.Context(), nil, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(t, streams[0]); err == nil || err.Error() != limit.Text || asked != 1 {
		t.Errorf("stream gave %v after asking %d owners", err, asked)
	}
}

func TestPolicyThatIsGoneIsTroubleThatPasses(t *testing.T) {
	c := written(t, &peer{})
	if _, err := c.reader.Scan(context.Background(), nil, &plan.Fragment{Database: "db", Policy: "gone", Range: model.AllTime}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Scan of a policy that is gone gave %v", err)
	}
}

// A panic in a goroutine of its own would end the process.
func TestAPanicAtAShardIsAnError(t *testing.T) {
	c := written(t, &peer{list: func() { panic("boom") }})
	var p *exec.PanicError
	if _, err := c.reader.List(t.Context(), nil, []query.Shards{allOf("")}, &exec.ListRequest{}); !errors.As(err, &p) || p.Value != "boom" {
		t.Errorf("List gave %v, want the panic", err)
	}
}
