package admin

import (
	"context"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/query"
)

// sketch gives a sketch of some of the things from one number to another.
func sketch(from, to int) *hll.Sketch {
	s := new(hll.Sketch)
	for i := from; i < to; i++ {
		s.Add(uint64(i) * 0x9e3779b97f4a7c15)
	}
	return s
}

func TestCardinalityCountsSeriesOfSeveralNodesOnce(t *testing.T) {
	c := newCluster(t)
	at := time.Now()
	count := func(s *hll.Sketch, series int) []data.DatabaseCensus {
		return []data.DatabaseCensus{{
			Name: "db", Series: s, Measurements: 2, Shards: 1, DiskBytes: 10,
			Largest: []data.MeasurementCensus{{Name: "cpu", Group: 1, Series: series}, {Name: "mem", Group: 1, Series: 1}},
		}}
	}
	for i, l := range c.locals { // b has what a has, c has other series
		from := []int{0, 0, 100}[i]
		l.census = data.Census{At: at, Databases: count(sketch(from, from+100), 99)}
		l.past = data.Census{At: at.Add(-30 * time.Minute), Databases: count(sketch(from, from+50), 49)}
		l.tags = []data.TagCensus{{Measurement: "cpu", Key: "host", Values: 40 + i}, {Measurement: "cpu", Key: "zone", Values: 3}}
	}
	var r adminapi.Cardinality
	c.mustAsk(0, "GET", "/cardinality?top=1", nil, &r)
	if len(r.Databases) != 1 || r.Databases[0].Series != 200 || r.Databases[0].Shards != 3 || r.Databases[0].Bytes != 30 {
		t.Fatalf("databases %+v", r.Databases)
	}
	if len(r.Measurements) != 1 || r.Measurements[0].Measurement != "cpu" || r.Measurements[0].Series != 198 {
		t.Errorf("measurements %+v", r.Measurements)
	}
	// 50 new series on each in half an hour, a third of which two nodes have.
	if g := r.Measurements[0].Growth; g.PerHour != 200 || g.Over != 30*time.Minute {
		t.Errorf("growth %+v", g)
	}
	if len(r.Tags) != 1 || r.Tags[0].Tag != "host" || r.Tags[0].Values != 42 {
		t.Errorf("tags %+v", r.Tags)
	}
	if err := c.ask(0, "GET", "/cardinality?database=nosuch", nil, &r); err == nil {
		t.Error("a database that is not there has a cardinality")
	}
	if err := c.ask(0, "GET", "/cardinality?top=0", nil, &r); err == nil {
		t.Error("top=0 is answered")
	}
	c.dead[c.stores[2].Self()] = true
	r = adminapi.Cardinality{}
	c.mustAsk(0, "GET", "/cardinality", nil, &r)
	if len(r.Lacking) != 1 || r.Lacking[0] != "c" || r.Databases[0].Series != 100 {
		t.Errorf("without c: %+v", r)
	}
}

func TestQueriesAreThoseOfAllNodes(t *testing.T) {
	c := newCluster(t)
	if err := c.ask(0, "GET", "/queries", nil, &adminapi.Queries{}); err == nil {
		t.Error("a node that takes no queries shows some")
	}
	c.admins[0].ShowQueries(func(context.Context) ([]query.Running, []string, error) {
		return []query.Running{{ID: 7, Text: "SELECT 1", User: "bob", Memory: 5, Points: 6, Series: 7, Answered: 8, Busy: time.Second}}, []string{"b"}, nil
	})
	var r adminapi.Queries
	c.mustAsk(0, "GET", "/queries", nil, &r)
	want := adminapi.Query{Node: c.stores[0].Self(), Host: "a", ID: 7, Text: "SELECT 1", User: "bob", Memory: 5, Points: 6, Series: 7, Rows: 8, Busy: time.Second}
	if len(r.Queries) != 1 || r.Queries[0] != want || len(r.Lacking) != 1 {
		t.Errorf("queries %+v", r)
	}
}
