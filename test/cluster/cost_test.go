package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/test/harness"
)

const (
	costHosts = 1000
	costRows  = 500 // of each host
	costBatch = 5000
)

// BenchmarkIngest writes the same points to one node and to three that keep
// three replicas, and gives the CPU time of all servers for a value.
func BenchmarkIngest(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				c := benchCluster(b, nodes)
				before, began := cpu(b, c), time.Now()
				ingest(b, c)
				took := time.Since(began)
				written := cpu(b, c) - before
				equal(b, c)
				settled := cpu(b, c) - before
				values := float64(costHosts * costRows * len(harness.CPUFields))
				b.ReportMetric(costHosts*costRows/took.Seconds(), "rows/s")
				b.ReportMetric(float64(written.Nanoseconds())/values, "cpu-ns/value")
				b.ReportMetric(float64(settled.Nanoseconds())/values, "settled-cpu-ns/value")
			}
		})
	}
}

// BenchmarkGroupBy asks one node, and one of three that share the shards, for
// the mean by time and host.
func BenchmarkGroupBy(b *testing.B) {
	const question = "SELECT mean(usage_user) FROM cpu WHERE time >= '2016-01-01T00:00:00Z' AND time < '2016-01-01T01:00:00Z' GROUP BY time(1m), hostname"
	for _, k := range []struct{ nodes, replication int }{{1, 1}, {3, 3}, {3, 1}} {
		b.Run(fmt.Sprintf("nodes=%d,replication=%d", k.nodes, k.replication), func(b *testing.B) {
			c := benchCluster(b, k.nodes)
			if _, err := c.Nodes[0].Query("bench", fmt.Sprintf("ALTER RETENTION POLICY autogen ON bench REPLICATION %d", k.replication)); err != nil {
				b.Fatal(err)
			}
			ingest(b, c)
			equal(b, c)
			var took []time.Duration
			before := cpu(b, c)
			for b.Loop() {
				began := time.Now()
				resp, err := http.Get(c.Nodes[0].URL + "/query?db=bench&q=" + url.QueryEscape(question))
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || n < 100_000 {
					b.Fatalf("%s: %d bytes, %v", resp.Status, n, err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1e3, "median-ms")
			b.ReportMetric(float64((cpu(b, c)-before).Milliseconds())/float64(len(took)), "cpu-ms/op")
		})
	}
}

func benchCluster(b *testing.B, nodes int) *harness.Cluster {
	b.Helper()
	c := harness.NewCluster(b, binaries.varved)
	for range nodes {
		if err := c.Add().Start(); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := c.Nodes[0].Query("", "CREATE DATABASE bench"); err != nil {
		b.Fatal(err)
	}
	return c
}

// cpu gives the CPU time of all servers.
func cpu(b *testing.B, c *harness.Cluster) (sum time.Duration) {
	b.Helper()
	for _, n := range c.Nodes {
		u, err := harness.ReadUsage(n.PID())
		if err != nil {
			b.Fatal(err)
		}
		sum += u.CPU
	}
	return sum
}

// equal waits until every owner has every row.
func equal(b *testing.B, c *harness.Cluster) {
	b.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		out, err := ctl(c.Nodes[0], "verify")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("verify: %v\n%s", err, out)
		}
	}
}

// ingest writes all points, by two clients that go round the nodes.
func ingest(b *testing.B, c *harness.Cluster) {
	b.Helper()
	bodies := make(chan []byte, 2)
	var work errgroup.Group
	work.Go(func() error {
		defer close(bodies)
		g := harness.NewCPUOnly(costHosts)
		for left := costHosts * costRows; left > 0; left -= costBatch {
			bodies <- g.AppendLines(nil, min(left, costBatch))
		}
		return nil
	})
	for client := range 2 {
		work.Go(func() (err error) {
			n := client
			for body := range bodies {
				resp, perr := http.Post(c.Nodes[n%len(c.Nodes)].URL+"/write?db=bench", "text/plain", bytes.NewReader(body))
				n++
				if perr != nil {
					err = perr
					continue
				}
				said, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent {
					err = fmt.Errorf("%s: %s", resp.Status, said)
				}
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		b.Fatal(err)
	}
}
