package querytest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

const referenceFile = "../../docs/influxql.md"

func TestReferenceIsWhatTheCodeDoes(t *testing.T) {
	want := Reference()
	if *rewrite {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil || string(got) != want {
		t.Errorf("docs/influxql.md is not what the tables make (%v): run with -rewrite", err)
	}
}

// referenceSession has a measurement with a field of each type.
func referenceSession(t *testing.T) *session {
	t.Helper()
	s := newSession(t, Options{})
	lines := "m,host=a v=1,i=1i,s=\"x\",b=true 1000000000\nm,host=b v=2,i=2i,s=\"y\",b=false 2000000000"
	if err := s.db.Write("d", "", []byte(lines)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatementsOfTheReferenceRun(t *testing.T) {
	s := referenceSession(t)
	kinds := map[string]bool{}
	for _, group := range statements {
		for _, st := range group.rows {
			out := s.run(command{verb: "query", args: map[string]string{"db": "d"}, input: st.example})
			if strings.Contains(out, "error:") && !strings.Contains(out, "no such query id") {
				t.Errorf("%s: %s", st.example, out)
			}
			// The parser does not know what is beyond InfluxDB.
			if parsed, err := influxql.ParseStatement(st.example); err == nil {
				kinds[strings.TrimPrefix(fmt.Sprintf("%T", parsed), "*influxql.")] = true
			}
		}
	}
	for _, kind := range dispatched(t) {
		if !kinds[kind] {
			t.Errorf("the reference has no %s", kind)
		}
	}
}

// dispatched gives the kinds of statements that package query tells apart.
func dispatched(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	caseRE, kindRE := regexp.MustCompile(`(?m)^\t*case (\*influxql\.\w+Statement(, )?)+`), regexp.MustCompile(`\w+Statement`)
	var kinds []string
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile("../" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range caseRE.FindAllString(string(text), -1) {
			kinds = append(kinds, kindRE.FindAllString(line, -1)...)
		}
	}
	if len(kinds) < 40 {
		t.Fatalf("only %d kinds of statements found", len(kinds))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// Every function of the tables must give what the reference says of it, for
// every type.
func TestFunctionsOfTheReferenceRun(t *testing.T) {
	s := referenceSession(t)
	fields := map[model.FieldType]string{model.Float: "v", model.Integer: "i", model.String: "s", model.Boolean: "b"}
	for _, f := range function.IDs() {
		if f.Usage() == "" {
			t.Errorf("%s has no usage", f)
		}
		for ft, field := range fields {
			arg, group := field, ""
			if strings.HasPrefix(f.Usage(), "aggregate") {
				arg, group = "last("+field+")", " WHERE time >= 0 AND time < 10s GROUP BY time(1s)"
			}
			for _, extra := range regexp.MustCompile(`, (n|p|period|season)`).FindAllString(f.Usage(), -1) {
				arg += ", " + map[string]string{", n": "2", ", p": "50", ", period": "1", ", season": "1"}[extra]
			}
			call := f.String() + "(" + arg + ")"
			if f == function.CountDistinct {
				call = "count(distinct(" + field + "))"
			}
			out := s.run(command{verb: "query", args: map[string]string{"db": "d"}, input: "SELECT " + call + " FROM m" + group})
			if refused := strings.Contains(out, "unsupported "); refused == f.Takes(ft) || !refused && strings.Contains(out, "error:") {
				t.Errorf("%s: %s", call, out)
			}
		}
	}
	for _, f := range function.Scalars() {
		arg := "v"
		if f.Args == 2 {
			arg = "v, 2"
		}
		if out := s.run(command{verb: "query", args: map[string]string{"db": "d"}, input: "SELECT " + f.Name + "(" + arg + ") FROM m"}); strings.Contains(out, "error:") {
			t.Errorf("%s: %s", f.Name, out)
		}
	}
}
