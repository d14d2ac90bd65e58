package httpapi

import (
	"context"
	"errors"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// The answers are those of InfluxDB, but for the list in CSV: there it writes
// once more what it wrote in that place before.
func TestListsAndResultsInOnePiece(t *testing.T) {
	b := newBench(t, nil)
	b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
		err := sink.Begin(query.Statement{Whole: true})
		for _, name := range []string{"d", "e"} {
			names := model.Column{Field: model.Field{Name: "name", Type: model.String}}
			names.AppendText([]byte("s"))
			rows := exec.Rows{Name: name, Columns: []string{"name", "to"}, Values: []model.Column{names}, Lists: [][]string{{"udp://h:1", "http://h:2"}}}
			err = errors.Join(err, sink.Rows(&rows))
		}
		return errors.Join(err, sink.End(query.Outcome{}))
	}
	const whole = `{"results":[{"statement_id":0,"series":[{"name":"d","columns":["name","to"],"values":[["s",["udp://h:1","http://h:2"]]]},{"name":"e","columns":["name","to"],"values":[["s",["udp://h:1","http://h:2"]]]}]}]}` + "\n"
	const list = "\x92\xa9udp://h:1\xaahttp://h:2"
	const columns = "\xa7columns\x92\xa4name\xa2to\xa6values\x91\x92\xa1s" + list
	for _, c := range []struct{ target, accept, want string }{
		{"/query?q=x", "", whole},
		{"/query?q=x&chunked=true", "", whole},
		{"/query?q=x&chunked=true", "text/csv", "name,tags,name,to\nd,,s,udp://h:1 http://h:2\ne,,s,udp://h:1 http://h:2\n"},
		{
			"/query?q=x&chunked=true", "application/x-msgpack",
			"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x92\x83\xa4name\xa1d" + columns + "\x83\xa4name\xa1e" + columns,
		},
	} {
		if w := b.do("GET", c.target, "", "Accept", c.accept); w.Body.String() != c.want {
			t.Errorf("%s as %q\n got  %q\n want %q", c.target, c.accept, w.Body, c.want)
		}
	}
}
