package query

import (
	"errors"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	b := newBench(t, DefaultConfig())
	for _, c := range []struct {
		text    string
		refused bool
	}{
		{"SELECT v FROM m", false},
		{"SELECT * FROM (SELECT v FROM m)", false},
		{"SHOW DATABASES; SHOW SERIES CARDINALITY; SHOW FIELD KEY EXACT CARDINALITY", false},
		{"EXPLAIN SELECT v FROM m", false},
		{"EXPLAIN ANALYZE SELECT v FROM m", false},
		{"SELECT v INTO n FROM m", true},
		{"EXPLAIN ANALYZE SELECT v INTO n FROM m", true},
		{"CREATE DATABASE x", true},
		{"SHOW DATABASES; DROP DATABASE x", true},
		{"DELETE FROM m", true},
		{"DROP SERIES FROM m", true},
		{"KILL QUERY 1", true},
		{`SET PASSWORD FOR u = 'p'`, true},
		{"GRANT ALL TO u", true},
		{"CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO n FROM m GROUP BY time(1m) END", true},
	} {
		_, err := b.Parse(Request{Text: c.text, Database: "db", Foreign: true})
		if refused := errors.Is(err, model.ErrForbidden); refused != c.refused || err != nil && !refused {
			t.Errorf("%s: %v", c.text, err)
		}
		if _, err := b.Parse(Request{Text: c.text, Database: "db"}); err != nil {
			t.Errorf("%s, not from a page: %v", c.text, err)
		}
	}
}
