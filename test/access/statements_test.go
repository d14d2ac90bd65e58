package access

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/test/harness"
)

var (
	rewrite = flag.Bool("rewrite", false, "write what varved answers, and the given InfluxDB, into testdata")
	influxd = flag.String("influxd", "", "an InfluxDB 1.8.10, to compare with")
)

const file = "testdata/statements.txt"

// TestEveryStatementAsEveryoneOfEveryDatabase is the matrix: about 60 statements
// × 6 users × 3 databases.
func TestEveryStatementAsEveryoneOfEveryDatabase(t *testing.T) {
	ours := start(t)(harness.Start(harness.Build(t), t.TempDir(), "--http-auth-enabled", "true"))
	var theirs *server
	if *influxd != "" {
		theirs = start(t)(harness.StartInfluxDB(*influxd, t.TempDir(), "auth-enabled = true"))
	}
	m := readMatrix(t, file)
	for _, e := range m.entries {
		for _, user := range users {
			row := e.cells[user]
			for i, database := range databases {
				text, in := e.text(user, database)
				got := cell{ours: ours.ask(t, user, text, in), theirs: row[i].theirs}
				if theirs != nil {
					if got.theirs = theirs.ask(t, user, text, in); got.theirs == got.ours {
						got.theirs = ""
					}
				}
				if got != row[i] && !*rewrite {
					t.Errorf("%s, as %s, of %s database: %q in %q: got %s, want %s", e.heading(), user, database, text, in, got, row[i])
				}
				row[i] = got
			}
			e.cells[user] = row
		}
		if e.differs() && len(e.notes) == 0 {
			t.Errorf("%s: InfluxDB answers otherwise, and nothing says why", e.heading())
		}
	}
	if *rewrite {
		m.write(t, file)
	}
}

// TestEveryKindOfStatementIsInTheMatrix fails for a statement that the parser knows
// and the matrix does not, and so for every case of the executor's.
func TestEveryKindOfStatementIsInTheMatrix(t *testing.T) {
	tested := map[string]bool{"DeleteStatement": true} // which the parser never gives
	for _, e := range readMatrix(t, file).entries {
		for _, database := range databases {
			text, _ := e.text("read", database)
			stmt, err := influxql.ParseStatement(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			tested[strings.TrimPrefix(fmt.Sprintf("%T", stmt), "*influxql.")] = true
		}
	}
	kinds := statementKinds(t)
	if len(kinds) < 40 {
		t.Fatalf("found %d kinds of statement only: %v", len(kinds), kinds)
	}
	for _, kind := range kinds {
		if !tested[kind] {
			t.Errorf("%s has no entry in %s", kind, file)
		}
	}
}

// statementKinds gives the types of the parser's statements.
func statementKinds(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "doc", "-all", "github.com/influxdata/influxql").Output()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range regexp.MustCompile(`(?m)^type (\w+Statement) struct`).FindAllStringSubmatch(string(out), -1) {
		kinds = append(kinds, m[1])
	}
	return kinds
}

// server is a server with authentication on, and the users and databases of the
// matrix.
type server struct{ *harness.Process }

func start(t *testing.T) func(*harness.Process, error) *server {
	return func(p *harness.Process, err error) *server {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		s := &server{p}
		s.must(t, "anonymous", `CREATE USER user_admin WITH PASSWORD 'user_admin' WITH ALL PRIVILEGES`)
		s.must(t, "admin", setup)
		for _, db := range []string{"own", "other"} {
			line := fmt.Sprintf("m,t_%[1]s=v_%[1]s f_%[1]s=1 1\nm_%[1]s f=1 1", db)
			if status, body := s.send(t, "/write?db="+nameOf(db), "admin", "text/plain", line); status != http.StatusNoContent {
				t.Fatalf("write: %d %s", status, body)
			}
		}
		return s
	}
}

// setup makes what the statements work on.
const setup = `
CREATE DATABASE db_own; CREATE DATABASE db_other;
CREATE RETENTION POLICY p ON db_own DURATION 0s REPLICATION 1; CREATE RETENTION POLICY p ON db_other DURATION 0s REPLICATION 1;
CREATE CONTINUOUS QUERY cq_own ON db_own BEGIN SELECT mean(f_own) INTO means FROM m GROUP BY time(1h) END;
CREATE CONTINUOUS QUERY cq_other ON db_other BEGIN SELECT mean(f_other) INTO means FROM m GROUP BY time(1h) END;
CREATE USER user_none WITH PASSWORD 'user_none'; CREATE USER user_read WITH PASSWORD 'user_read';
CREATE USER user_write WITH PASSWORD 'user_write'; CREATE USER user_all WITH PASSWORD 'user_all';
GRANT READ ON db_own TO user_read; GRANT WRITE ON db_own TO user_write; GRANT ALL ON db_own TO user_all;
CREATE USER victim WITH PASSWORD 'victim'; GRANT READ ON db_own TO victim; GRANT READ ON db_other TO victim`

// must runs statements that do not fail.
func (s *server) must(t *testing.T, user, text string) {
	t.Helper()
	if status, body := s.post(t, user, url.Values{"q": {text}}); status != http.StatusOK || strings.Contains(body, `"error"`) {
		t.Fatalf("%s: %d %s\n%s", text, status, body, s.Log())
	}
}

var (
	requires = regexp.MustCompile(`requires (READ|WRITE|admin)`)
	seen     = regexp.MustCompile(`_(own|other)\b`)
)

// ask runs a statement and gives the answer as a cell has it.
func (s *server) ask(t *testing.T, user, text, in string) string {
	t.Helper()
	params := url.Values{"q": {text}}
	if in != "" {
		params.Set("db", in)
	}
	status, body := s.post(t, user, params)
	switch status {
	case http.StatusUnauthorized:
		return "401"
	case http.StatusForbidden:
		if m := requires.FindStringSubmatch(body); m != nil {
			s.sameText(t, user, text, body)
			return m[1]
		}
		return "403 " + strings.TrimSpace(body)
	case http.StatusOK:
	default:
		return fmt.Sprint(status)
	}
	var found []string
	for _, m := range seen.FindAllStringSubmatch(body, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	slices.Reverse(found) // own before other
	return strings.Join(append([]string{"ok"}, slices.Compact(found)...), " ")
}

// sameText checks the whole text of a refusal: it names the user and has the
// statement as the parser prints it.
func (s *server) sameText(t *testing.T, user, text, body string) {
	t.Helper()
	var answer struct{ Error string }
	stmt, err := influxql.ParseStatement(text)
	if err != nil || json.Unmarshal([]byte(body), &answer) != nil {
		t.Fatalf("%s: %s", text, body)
	}
	want := fmt.Sprintf("error authorizing query: %s not authorized to execute statement '%s', requires ", nameOfUser(user), stmt)
	if !strings.HasPrefix(answer.Error, want) {
		t.Errorf("%s: refused with %q, want %q…", text, answer.Error, want)
	}
}

func (s *server) post(t *testing.T, user string, params url.Values) (int, string) {
	t.Helper()
	return s.send(t, "/query", user, "application/x-www-form-urlencoded", params.Encode())
}

func (s *server) send(t *testing.T, path, user, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if user != "anonymous" {
		req.SetBasicAuth(nameOfUser(user), nameOfUser(user))
	}
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
