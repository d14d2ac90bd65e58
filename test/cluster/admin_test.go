package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/test/harness"
)

// ask sends a request without a body and reads the answer.
func ask[T any](n *harness.Node, method, route string) (answer T, err error) {
	req, err := http.NewRequest(method, n.URL+adminapi.Prefix+route, nil)
	if err != nil {
		return answer, err
	}
	resp, err := http.DefaultClient.Do(req)
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
	return ask[[]adminapi.Shard](n, http.MethodGet, "/shards")
}

// idle reports unless no replica is on its way.
func idle(n *harness.Node) error {
	s, err := ask[adminapi.Status](n, http.MethodGet, "/status")
	switch {
	case err != nil:
		return err
	case len(s.Moves) > 0 || s.Rebalance != nil:
		return fmt.Errorf("%d moves, rebalance %v", len(s.Moves), s.Rebalance)
	}
	return nil
}

// controller waits until a node leads, and gives it. After a kill that takes
// as long as the lease of the last one lasts.
func controller(t *testing.T, c *harness.Cluster) (leader *harness.Node) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		if leader = leading(c); leader == nil {
			return errors.New("no node leads")
		}
		return nil
	})
	return leader
}

func leading(c *harness.Cluster) *harness.Node {
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
