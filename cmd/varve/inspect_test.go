package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varvedb/varve/test/harness"
)

// varve runs the shell on a server and gives its output.
func varve(t *testing.T, wantCode int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, os.Stdin, &out, &errs); code != wantCode {
		t.Fatalf("varve %q: exit %d, want %d\n%s%s", args, code, wantCode, out.String(), errs.String())
	}
	return out.String()
}

func startServer(t *testing.T, binary, dir string) *harness.Process {
	t.Helper()
	p, err := harness.Start(binary, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func host(p *harness.Process) string { return strings.TrimPrefix(p.URL, "http://") }

func store(t *testing.T, p *harness.Process, policy, lines string) {
	t.Helper()
	resp, err := http.Post(p.URL+"/write?"+url.Values{"db": {`o"d`}, "rp": {policy}}.Encode(), "text/plain", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write: %v", failure(resp))
	}
}

// answers gives what a few statements answer about everything.
func answers(t *testing.T, p *harness.Process) string {
	t.Helper()
	var all strings.Builder
	for _, q := range []string{
		`SHOW SERIES`, `SHOW FIELD KEYS`, `SELECT * FROM cpu GROUP BY *`, `SELECT * FROM "n s" GROUP BY *`, `SELECT * FROM "o\"d"."long".cpu`,
		`SELECT * FROM gone`, `SELECT sum(u) FROM cpu WHERE time > 0 GROUP BY host`,
	} {
		fmt.Fprintln(&all, q, "\n", varve(t, 0, "-host", host(p), "-database", `o"d`, "-execute", q, "-format", "csv"))
	}
	return all.String()
}

func TestExportIsImportedWithTheSameAnswers(t *testing.T) {
	binary := harness.Build(t)
	dir := t.TempDir()
	p := startServer(t, binary, dir)
	varve(t, 0, "-host", host(p), "-execute", `CREATE DATABASE "o\"d" WITH NAME short`)
	varve(t, 0, "-host", host(p), "-execute", `CREATE RETENTION POLICY long ON "o\"d" DURATION 100000h REPLICATION 1`)
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, "cpu,host=h%d,a\\ b=x\\,y u=%d.25,i=%di,b=%v,s=\"a \\\"b\\\" \\\\ c,=%d\" %d\n",
			i%10, i%97, i-50, i%2 == 0, i%5, int64(1700000000+i*600)*1e9)
	}
	store(t, p, "", lines.String())
	store(t, p, "", "n\\ s f\\,=1e300,g=-0 1700000000000000000\nn\\ s text=\"two\nlines # and \n\n#more\" 1700000000000000001\ngone v=1 1700000000000000000\n")
	store(t, p, "long", "cpu,host=z u=1 1700000000000000000\n")
	varve(t, 0, "ctl", "--host", p.URL, "compact", "--wait")
	store(t, p, "", "cpu,host=h1,a\\ b=x\\,y u=7 1700000600000000000\n") // overwrites a field
	varve(t, 0, "-host", host(p), "-database", `o"d`, "-execute", `DROP MEASUREMENT gone`)
	varve(t, 0, "-host", host(p), "-database", `o"d`, "-execute", `DELETE FROM cpu WHERE host = 'h2' AND time < 1700600000000000000`)
	want := answers(t, p)

	live := filepath.Join(t.TempDir(), "live.gz")
	varve(t, 0, "inspect", "export", "-data-dir", dir, "-out", live)
	varve(t, 0, "inspect", "verify", "-data-dir", dir)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	still := filepath.Join(t.TempDir(), "still.txt")
	varve(t, 0, "inspect", "export", "-data-dir", dir, "-out", still)
	varve(t, 0, "inspect", "verify", "-data-dir", dir)
	varve(t, 0, "inspect", "report", "-data-dir", dir)

	for _, export := range []string{live, still} {
		fresh := startServer(t, binary, t.TempDir())
		args := []string{"-host", host(fresh), "-import", "-path", export}
		if strings.HasSuffix(export, ".gz") {
			args = append(args, "-compressed")
		}
		varve(t, 0, args...)
		if got := answers(t, fresh); got != want {
			t.Errorf("%s: the answers differ: got\n%.3000s\nwant\n%.3000s", filepath.Base(export), got, want)
		}
		if err := fresh.Stop(); err != nil {
			t.Error(err)
		}
	}
}
