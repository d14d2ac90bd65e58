package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

// result is what one kind of query took on one server.
type result struct {
	took    []float64 // ms
	cpu     float64   // ms of an answer, the mean; NaN if none was asked for
	answers []answer  // those that do not count first
}

// answer tells answers apart.
type answer struct {
	bytes  int
	digest [sha256.Size]byte
}

func (r *result) median() float64 { return contest.Median(r.took) }
func (r *result) high() float64   { return contest.Quantile(r.took, 0.95) }

// kilobytes is the size of an answer, the mean.
func (r *result) kilobytes() float64 {
	sum := 0
	for _, a := range r.answers {
		sum += a.bytes
	}
	return float64(sum) / 1e3 / float64(len(r.answers))
}

// unmeasured is how many answers come before those that count, least how many of
// these there are at least.
const (
	unmeasured = 3
	least      = 10
)

// measure starts a server, writes the hosts and asks the queries.
func measure(c config, e contest.Entrant, asked []kind) ([]result, error) {
	server, err := e.Start()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	g := harness.NewCPUOnly(c.hosts)
	g.Step = step
	left := c.hosts * int(during/step)
	if err := server.Send(2, false, func(dst []byte) []byte {
		n := min(left, 5000)
		left -= n
		return g.AppendLines(dst, n)
	}); err != nil {
		return nil, err
	}
	time.Sleep(c.Settle)
	// One connection, and answers as they are.
	transport := &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &client{Client: http.Client{Transport: transport}, server: server}
	results := make([]result, len(asked))
	for i, k := range asked {
		if results[i], err = client.repeat(c, texts(c, k)); err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return results, server.Stop()
}

// client asks one server.
type client struct {
	http.Client
	server *contest.Run
	body   bytes.Buffer // the last answer
}

// repeat asks the texts that next gives.
func (c *client) repeat(cfg config, next func() text) (r result, err error) {
	r.cpu = math.NaN()
	var before harness.Usage
	var began time.Time
	for i := range unmeasured + cfg.times {
		address := c.address(next())
		if address == "" {
			return r, nil
		}
		if i == unmeasured {
			began = time.Now()
			if before, err = c.server.Usage(); err != nil {
				return r, err
			}
		}
		if i >= unmeasured+least && time.Since(began) > cfg.longest {
			break
		}
		start := time.Now()
		if err := c.ask(address); err != nil {
			return r, err
		}
		if i >= unmeasured {
			r.took = append(r.took, time.Since(start).Seconds()*1e3)
		}
		r.answers = append(r.answers, answer{c.body.Len(), sha256.Sum256(c.body.Bytes())})
	}
	after, err := c.server.Usage()
	r.cpu = (after.CPU - before.CPU).Seconds() * 1e3 / float64(len(r.took))
	return r, err
}

// address gives what to get for an answer; "" where the server has no like of
// the query.
func (c *client) address(t text) string {
	if c.server.Entrant.Name != "victoria" {
		return c.server.URL + "/query?" + url.Values{"db": {"bench"}, "q": {t.influxql}}.Encode()
	}
	if t.metricsql == "" {
		return ""
	}
	return c.server.URL + "/api/v1/query_range?" + url.Values{
		"query": {t.metricsql}, "nocache": {"1"}, "step": {strconv.Itoa(int(t.step.Seconds()))},
		"start": {strconv.FormatInt(t.start.Unix(), 10)}, "end": {strconv.FormatInt(t.end.Unix(), 10)},
	}.Encode()
}

// ask gets an answer.
func (c *client) ask(address string) error {
	resp, err := c.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.body.Reset()
	if _, err := c.body.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || bytes.Contains(c.body.Bytes(), []byte(`"error"`)) {
		return fmt.Errorf("%s: %s: %s", address, resp.Status, c.body.Bytes()[:min(c.body.Len(), 1000)])
	}
	return nil
}
