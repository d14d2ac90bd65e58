package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/test/harness"
)

// ask reads what a node says about the cluster.
func ask[T any](n *harness.Node, route string) (answer T, err error) {
	resp, err := http.Get(n.URL + adminapi.Prefix + route)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", route, resp.Status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	return answer, err
}

func listShards(n *harness.Node) ([]adminapi.Shard, error) {
	return ask[[]adminapi.Shard](n, "/shards")
}

// idle reports unless no replica is on its way.
func idle(n *harness.Node) error {
	s, err := ask[adminapi.Status](n, "/status")
	switch {
	case err != nil:
		return err
	case len(s.Moves) > 0 || s.Rebalance != nil:
		return fmt.Errorf("%d moves, rebalance %v", len(s.Moves), s.Rebalance)
	}
	return nil
}

// controller gives the node that leads.
func controller(t *testing.T, c *harness.Cluster) *harness.Node {
	t.Helper()
	for _, n := range c.Nodes {
		resp, err := http.Get(n.URL + "/metrics")
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && metric(string(body), "control_leading") == 1 {
			return n
		}
	}
	t.Fatal("no node leads")
	return nil
}

// metric gives the value of a metric without labels, 0 when it is not there.
func metric(metrics, name string) (v float64) {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, _ = fmt.Sscan(rest, &v) // 0 is what a bad line is worth
		}
	}
	return v
}
