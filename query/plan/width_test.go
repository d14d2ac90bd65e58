package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// wide gives measurements of 1000 fields each.
func wide(measurements int) []plan.Schema {
	var fields []model.Field
	for i := range 1000 {
		fields = append(fields, model.Field{Name: fmt.Sprintf("f%03d", i), Type: model.Float})
	}
	var schemas []plan.Schema
	for i := range measurements {
		schemas = append(schemas, plan.Schema{Database: "db", Policy: "rp", Name: fmt.Sprintf("m%d", i), Fields: fields})
	}
	return schemas
}

func TestWildcardsThatStandForTooManyColumnsAreRefused(t *testing.T) {
	for _, c := range []struct {
		q       string
		refused bool
	}{
		{"SELECT * FROM m0", false},
		{"SELECT " + strings.Repeat("*,", 19) + "* FROM m0", false},
		{"SELECT " + strings.Repeat("*,", 9999) + "* FROM m0", true},
		{"SELECT " + strings.Repeat("mean(*),", 9999) + "mean(*) FROM m0", true},
		{"SELECT " + strings.Repeat("/f/,", 9999) + "/f/ FROM m0", true},
		{"SELECT " + strings.Repeat("/f000/,", 999) + "/f000/ FROM m0", false},
		{"SELECT * FROM " + strings.Repeat("m0,", 5000) + "m0", true},
		{"SELECT * FROM " + strings.Repeat("/m/,", 500) + "/m/", true},
		{"SELECT * FROM /m/", false},
		{"SELECT f000 FROM " + strings.Repeat("m0,", 500) + "m0", false},
	} {
		stmt, err := influxql.ParseStatement(c.q)
		if err != nil {
			t.Fatal(err)
		}
		sel, err := plan.Compile(stmt.(*influxql.SelectStatement), plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = sel.Bind(wide(10))
		if refused := errors.Is(err, model.ErrTooLarge); refused != c.refused || err != nil && !refused {
			t.Errorf("%.60s…: %v; want refused %t", c.q, err, c.refused)
		}
	}
}
