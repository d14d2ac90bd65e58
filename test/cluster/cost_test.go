package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/test/harness"
)

const (
	costHosts = 1000
	costBatch = 5000

	// Rows of each host: enough for a node to flush some times, and the hour that
	// is asked for.
	ingestRows = 2000
	queryRows  = 400
)

// BenchmarkIngest writes the same points to one node and to three that keep
// three replicas, and gives the CPU time of all servers for a value: until the
// last write was answered, and until every owner has all of it in files as it
// wants them. Three nodes also give how many times the one's that is, by the
// median of its runs. A batch that was pulled is waste while all nodes are there.
func BenchmarkIngest(b *testing.B) {
	const values = costHosts * ingestRows
	var alone struct{ written, settled []float64 }
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				c := benchCluster(b, nodes)
				before, began := cpu(b, c), time.Now()
				ingest(b, c, ingestRows)
				took := time.Since(began)
				perValue := func() float64 {
					return float64((cpu(b, c) - before).Nanoseconds()) / float64(values*len(harness.CPUFields))
				}
				written := perValue()
				atRest(b, c)
				settled := perValue()
				equal(b, c)
				b.ReportMetric(values/took.Seconds(), "rows/s")
				b.ReportMetric(written, "cpu-ns/value")
				b.ReportMetric(settled, "settled-cpu-ns/value")
				b.ReportMetric(pulled(b, c), "pulled-batches")
				if nodes == 1 {
					alone.written, alone.settled = append(alone.written, written), append(alone.settled, settled)
				} else if len(alone.written) > 0 {
					b.ReportMetric(written/median(alone.written), "times-cpu")
					b.ReportMetric(settled/median(alone.settled), "times-settled-cpu")
				}
			}
		})
	}
}

// BenchmarkGroupBy asks one node, and one of three that share the shards, for
// the mean by time and host. Three nodes also give how many times the one's
// latency that takes.
func BenchmarkGroupBy(b *testing.B) {
	var alone []float64
	const question = "SELECT mean(usage_user) FROM cpu WHERE time >= '2016-01-01T00:00:00Z' AND time < '2016-01-01T01:00:00Z' GROUP BY time(1m), hostname"
	for _, k := range []struct{ nodes, replication int }{{1, 1}, {3, 3}, {3, 1}} {
		b.Run(fmt.Sprintf("nodes=%d,replication=%d", k.nodes, k.replication), func(b *testing.B) {
			c := benchCluster(b, k.nodes)
			if _, err := c.Nodes[0].Query("bench", fmt.Sprintf("ALTER RETENTION POLICY autogen ON bench REPLICATION %d", k.replication)); err != nil {
				b.Fatal(err)
			}
			ingest(b, c, queryRows)
			equal(b, c)
			atRest(b, c)
			var took []float64 // ms
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
				took = append(took, time.Since(began).Seconds()*1e3)
			}
			b.ReportMetric(median(took), "median-ms")
			if k.nodes == 1 {
				alone = append(alone, median(took))
			} else if len(alone) > 0 {
				b.ReportMetric(median(took)/median(alone), "times-latency")
			}
			b.ReportMetric(float64((cpu(b, c)-before).Milliseconds())/float64(len(took)), "cpu-ms/op")
		})
	}
}

func median(figures []float64) float64 {
	return slices.Sorted(slices.Values(figures))[len(figures)/2]
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

// atRest waits until the servers have nothing left to do: no file to write, no
// files to merge.
func atRest(b *testing.B, c *harness.Cluster) {
	b.Helper()
	busy := time.Duration(len(c.Nodes)) * 150 * time.Millisecond // in a second
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		before := cpu(b, c)
		time.Sleep(time.Second)
		if cpu(b, c)-before < busy {
			return
		}
	}
	b.Fatal("the servers find no rest")
}

// pulled gives how many batches owners have fetched from others.
func pulled(b *testing.B, c *harness.Cluster) (sum float64) {
	b.Helper()
	for _, n := range c.Nodes {
		resp, err := http.Get(n.URL + "/metrics")
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), "\ndata_pulled_batches_total ")
		figure, _, _ := strings.Cut(rest, "\n")
		batches, err := strconv.ParseFloat(figure, 64)
		if !found || err != nil {
			b.Fatalf("%s does not say how many batches it has pulled", n.Name)
		}
		sum += batches
	}
	return sum
}

// ingest writes so many points of each host, by two clients that go round the
// nodes.
func ingest(b *testing.B, c *harness.Cluster, rows int) {
	b.Helper()
	bodies := make(chan []byte, 2)
	var work errgroup.Group
	work.Go(func() error {
		defer close(bodies)
		g := harness.NewCPUOnly(costHosts)
		for left := costHosts * rows; left > 0; left -= costBatch {
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
