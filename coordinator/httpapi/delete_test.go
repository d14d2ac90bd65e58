package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// ran gives the statements that b runs, as they are printed, and has them end in err.
func ran(b *bench, err error) *[]string {
	texts := new([]string)
	b.queries.answer = func(_ context.Context, r query.Request, sink query.Sink) error {
		*texts = append(*texts, r.Database+": "+r.Text)
		return errors.Join(sink.Begin(query.Statement{}), sink.End(query.Outcome{Err: err}))
	}
	return texts
}

const day = `"start":"2020-01-01T00:00:00Z","stop":"2020-01-02T00:00:00.5Z"`

func TestDeletesBecomeStatements(t *testing.T) {
	const times = ` WHERE time >= '2020-01-01T00:00:00Z' AND time < '2020-01-02T00:00:00.5Z'`
	for _, c := range []struct{ bucket, predicate, want string }{
		{"db", ``, `DELETE FROM autogen.//` + times},
		{"db/day", `_measurement=\"m\"`, `DELETE FROM day.m` + times},
		{"db/x/y", `_measurement=m`, `DELETE FROM "x/y".m` + times},
		{"db", `_measurement = 'a b' AND \"t\" = \"v\" and u='it\\'s'`, `DELETE FROM autogen."a b"` + times + ` AND t = 'v' AND u = 'it\'s'`},
		{"db", `t=\"x' OR time > 0 --\"`, `DELETE FROM autogen.//` + times + ` AND t = 'x\' OR time > 0 --'`},
		{"db", `_measurement=\"m\" AND _measurement==\"m\"`, `DELETE FROM autogen.m` + times},
	} {
		b := newBench(t, nil)
		got := ran(b, nil)
		w := b.do("POST", "/api/v2/delete?org=o&bucket="+c.bucket, `{`+day+`,"predicate":"`+c.predicate+`"}`)
		if w.Code != 200 || w.Body.Len() > 0 || !slices.Equal(*got, []string{"db: " + c.want}) {
			t.Errorf("%s\n got  %d %s %q\n want %q", c.predicate, w.Code, w.Body, *got, c.want)
		}
	}
}

func TestDeletesThatSayTooLittleAreRefused(t *testing.T) {
	const only = ` - predicate only supports equality operators and conjunctions. database: \"db\", retention policy: \"autogen\", start: \"2020-01-01T00:00:00Z\", stop: \"2020-01-02T00:00:00.5Z\", predicate: `
	for _, c := range []struct {
		target, body string
		status       int
		want         string
	}{
		{"", `{}`, 404, `delete - bucket: bucket name \"\" is missing a slash; not in \"database/retention-policy\" format`},
		{"?bucket=nov", `{}`, 404, `delete - database not found: \"nov\"`},
		{"?bucket=db/no", `{}`, 404, `delete - retention policy not found in \"db\": \"no\"`},
		{"?bucket=db/..", `{}`, 404, `delete - retention policy not found in \"db\": \"..\"`},
		{"?bucket=away", `{}`, 503, `delete - metadata store unavailable`},
		{"?bucket=db", `x`, 400, `delete - cannot parse request body: invalid character 'x' looking for beginning of value`},
		{"?bucket=db", `{"stop":"2020-01-02T00:00:00Z"}`, 400, `delete - start field in RFC3339Nano format required`},
		{"?bucket=db", `{"start":"2020-01-02T00:00:00Z"}`, 400, `delete - stop field in RFC3339Nano format required`},
		{"?bucket=db", `{"start":"now","stop":"2020-01-02T00:00:00Z"}`, 400, `delete - invalid format for start field \"now\", please use RFC3339Nano: parsing time \"now\" as \"2006-01-02T15:04:05.999999999Z07:00\": cannot parse \"now\" as \"2006\"`},
		{"?bucket=db", `{` + day + `,"predicate":"a=\"b\" OR c=\"d\""}`, 400, `delete` + only + `\"a=\\\"b\\\" OR c=\\\"d\\\"\"`},
		{"?bucket=db", `{` + day + `,"predicate":"a=\"b\" AND"}`, 400, `delete` + only + `\"a=\\\"b\\\" AND\"`},
		{"?bucket=db", `{` + day + `,"predicate":"a!='b'"}`, 400, `delete` + only + `\"a!='b'\"`},
		{"?bucket=db", `{` + day + `,"predicate":"a=~/b/"}`, 400, `delete` + only + `\"a=~/b/\"`},
		{"?bucket=db", `{` + day + `,"predicate":"a=5"}`, 400, `delete` + only + `\"a=5\"`},
		{"?bucket=db", `{` + day + `,"predicate":"time='x'"}`, 400, `delete - predicate is about tags and _measurement only, not about time`},
		{"?bucket=db", `{` + day + `,"predicate":"_measurement=a AND _measurement=b"}`, 400, `delete - predicate names two measurements`},
	} {
		b := newBench(t, nil)
		got := ran(b, nil)
		w := b.do("POST", "/api/v2/delete"+c.target, c.body)
		if want := `{"error":"` + c.want + `"}` + "\n"; w.Code != c.status || w.Body.String() != want || len(*got) > 0 {
			t.Errorf("%s %s\n got  %d %s ran %q\n want %d %s", c.target, c.body, w.Code, w.Body, *got, c.status, want)
		}
	}
	b := newBench(t, nil)
	ran(b, &model.Error{Kind: model.ErrUnavailable, Text: "no owner"})
	if w := b.do("POST", "/api/v2/delete?bucket=db", `{`+day+`}`); w.Code != 503 {
		t.Errorf("a delete that cannot be done now: %d %s", w.Code, w.Body)
	}
}

func TestADeleteDoesNotTellWhichPoliciesThereAre(t *testing.T) {
	s := guardedServer(t, &fakeAuth{}, nil)
	for _, bucket := range []string{"db", "db/day", "db/no"} {
		r := httptest.NewRequest("POST", "/api/v2/delete?bucket="+bucket, strings.NewReader(`{`+day+`}`))
		r.Header.Set("X-User", "reader")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s of who may not write: %d %s", bucket, w.Code, w.Body)
		}
	}
}

func FuzzParsePredicate(f *testing.F) {
	f.Add(`_measurement="m" AND tag='v'`)
	f.Add(`a = b and "c\"" == 'd'`)
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := parsePredicate(text)
		if err == nil && len(parts) == 0 {
			t.Fatalf("%q has no parts", text)
		}
	})
}
