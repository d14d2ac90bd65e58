package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/test/harness"
)

// newClusterIn starts nodes in namespaces, which speak mutual TLS and let each
// other in by a token.
func newClusterIn(t *testing.T, network *harness.Network, nodes int) *harness.Cluster {
	t.Helper()
	c := harness.NewClusterIn(t, binaries.varved, network)
	c.Start(1, "--allow-unauthenticated")
	token, err := ask[adminapi.Token](c.Nodes[0], http.MethodPost, "/join-token")
	if err != nil {
		t.Fatal(err)
	}
	for range nodes - 1 {
		n := c.Add("--allow-unauthenticated")
		n.Join = append(n.Join, "--join-token", token.Token)
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestPartitionHealsWithoutACommand(t *testing.T) {
	network := harness.NewNetwork(t)
	c := newClusterIn(t, network, 3)
	create(t, c, 3)
	a, b, cut := c.Nodes[0], c.Nodes[1], c.Nodes[2]

	// What is not written any more, and the one answer about it.
	var lines strings.Builder
	still := time.Now().Add(-2 * time.Hour)
	for i := range 2000 {
		fmt.Fprintf(&lines, "still,host=h%d v=%d %d\n", i%10, i, still.Add(time.Duration(i)*time.Second).UnixNano())
	}
	if err := a.Write("db", lines.String()); err != nil {
		t.Fatal(err)
	}
	const question = "SELECT count(v), sum(v) FROM still GROUP BY host"
	time.Sleep(5 * time.Second)
	want := fmt.Sprint(mustQuery(t, a, question))

	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i, n := range c.Nodes {
		clients.Go(func() { churn(ctx, n, uint64(i)) })
	}
	repeat := func(n *harness.Node, times int) (errors int) {
		for range times {
			rows, err := n.Query("db", question)
			switch {
			case err != nil:
				errors++
			case fmt.Sprint(rows) != want:
				t.Errorf("%s answers %v, want %s", n.Name, rows, want)
				return errors
			}
		}
		return errors
	}
	time.Sleep(3 * time.Second)
	network.Isolate(cut, a, b)
	time.Sleep(either(20*time.Second, 5*time.Minute))
	errorsCut := repeat(cut, 3) // each waits for the others in vain
	for _, n := range []*harness.Node{a, b} {
		if errors := repeat(n, 1000); errors > 0 {
			t.Errorf("%s: %d of 1000 answers during the partition were errors", n.Name, errors)
		}
	}
	network.Heal()
	healed := time.Now()
	stop()
	clients.Wait()
	equal := make(chan time.Duration, 1)
	go func() { // while all goes on
		defer close(equal)
		for time.Since(healed) < time.Minute {
			if _, err := ctl(a, "verify"); err == nil {
				equal <- time.Since(healed)
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	for _, n := range []*harness.Node{a, b} {
		if errors := repeat(n, 1000); errors > 0 {
			t.Errorf("%s: %d of 1000 answers after the partition were errors", n.Name, errors)
		}
	}
	errorsHealed := repeat(cut, 100)
	took, ok := <-equal
	if !ok {
		t.Error("the replicas were never equal in the minute after the heal")
	}
	verified(t, a, time.Minute)
	t.Logf("equal %v after the heal; the cut-off node answered %d of 3 with an error during, %d of 100 just after", took.Round(100*time.Millisecond), errorsCut, errorsHealed)
	for _, q := range []string{question, "SELECT v FROM churn GROUP BY *", "SELECT count(v) FROM churn"} {
		first := fmt.Sprint(mustQuery(t, a, q))
		for _, n := range c.Nodes[1:] {
			if got := fmt.Sprint(mustQuery(t, n, q)); got != first {
				t.Errorf("%s: %s differs from %s", q, n.Name, a.Name)
			}
		}
	}
}

// churn writes, overwrites and deletes on few keys through one node. What fails
// is tried no more.
func churn(ctx context.Context, n *harness.Node, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := 0; ctx.Err() == nil; i++ {
		key, row := rng.IntN(4), at.Add(time.Duration(rng.IntN(50))*time.Second).UnixNano()
		if rng.IntN(20) == 0 {
			_, _ = n.Query("db", fmt.Sprintf("DELETE FROM churn WHERE k = '%d' AND time = %d", key, row))
		} else {
			_ = n.Write("db", fmt.Sprintf("churn,k=%d v=%d,from=%d %d", key, i, seed, row))
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
