package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// server answers every query with answer and remembers what was written.
func server(t *testing.T, answer string) (url string, writes *[]string) {
	t.Helper()
	writes = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Influxdb-Version", "1.8.10")
		switch r.URL.Path {
		case "/ping":
			w.WriteHeader(http.StatusNoContent)
		case "/write":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			*writes = append(*writes, r.URL.RawQuery+" "+string(body))
			if strings.Contains(string(body), "refused") {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"error":"refused it"}`)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		default:
			if r.FormValue("q") == "" {
				t.Error("a query without text")
			}
			io.WriteString(w, answer)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), writes
}

const twoSeries = `{"results":[{"statement_id":0,"series":[` +
	`{"name":"cpu","tags":{"host":"a","az":"x"},"columns":["time","usage"],"values":[[1,2.5],[20,null]]},` +
	`{"name":"cpu","tags":{"host":"b","az":"x"},"columns":["time","usage"],"values":[[1,"a, b"]]}]}]}` + "\n"

func TestExecutePrintsWhatInfluxPrints(t *testing.T) {
	for _, c := range []struct{ name, format, answer, want string }{
		{"columns", "column", twoSeries, "name: cpu\ntags: az=x, host=a\ntime usage\n---- -----\n1    2.5\n20   \n\nname: cpu\ntags: az=x, host=b\ntime usage\n---- -----\n1    a, b\n"},
		{"csv", "csv", twoSeries, "name,tags,time,usage\ncpu,\"az=x,host=a\",1,2.5\ncpu,\"az=x,host=a\",20,\nname,tags,time,usage\ncpu,\"az=x,host=b\",1,\"a, b\"\n"},
		{"json", "json", `{"results":[{"statement_id":0}]}`, `{"results":[{"statement_id":0}]}` + "\n"},
		{"chunks are one table", "column", strings.Repeat(`{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,1]]}]}]}`+"\n", 2), "name: m\ntime v\n---- -\n1    1\n1    1\n"},
		{"a large integer keeps its digits", "csv", `{"results":[{"series":[{"columns":["v"],"values":[[9223372036854775807]]}]}]}`, "v\n9223372036854775807\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, _ := server(t, c.answer)
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"-host", host, "-database", "d", "-execute", "SELECT usage FROM cpu", "-format", c.format}, os.Stdin, &out, &errs)
			if code != 0 || out.String() != c.want {
				t.Errorf("code %d, errors %q, got\n%s\nwant\n%s", code, errs.String(), out.String(), c.want)
			}
		})
	}
}

func TestExecuteReportsAnErrorAndFails(t *testing.T) {
	host, _ := server(t, `{"results":[{"statement_id":0,"error":"database not found: x"}]}`)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-host", host, "-execute", "SHOW SERIES"}, os.Stdin, &out, &errs)
	if code != 1 || !strings.HasPrefix(out.String(), "ERR: database not found: x\n") || !strings.Contains(errs.String(), "database not found: x") {
		t.Errorf("code %d, out %q, errors %q", code, out.String(), errs.String())
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-format", "xml"}, {"-precision", "d"}, {"-consistency", "most"}, {"-type", "flux"}, {"-import"}, {"stray"}, {"-nosuch"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, os.Stdin, &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%v: code %d, errors %q", args, code, errs.String())
		}
	}
}

func TestInsertGoesWhereItIsSent(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`insert m v=1`, "consistency=all&db=d&precision=ns m v=1"},
		{`INSERT into long m,t=a v="x y" 1`, `consistency=all&db=d&precision=ns&rp=long m,t=a v="x y" 1`},
		{`insert into "o t"."l r" m v=1`, "consistency=all&db=o+t&precision=ns&rp=l+r m v=1"},
	} {
		host, writes := server(t, "")
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"-host", host, "-database", "d", "-execute", c.line}, os.Stdin, &out, &errs)
		if code != 0 || len(*writes) != 1 || (*writes)[0] != c.want {
			t.Errorf("%s: code %d, writes %q, want %q (%s)", c.line, code, *writes, c.want, errs.String())
		}
	}
}

func TestImportReadsAnExport(t *testing.T) {
	host, writes := server(t, `{"results":[{"statement_id":0}]}`)
	file := filepath.Join(t.TempDir(), "export")
	text := "# INFLUXDB EXPORT\n# DDL\nCREATE DATABASE a WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:a\n# CONTEXT-RETENTION-POLICY:autogen\n" +
		"# writing tsm data\nm v=1 1\nm v=2 2\n# CONTEXT-DATABASE: b\nrefused v=1 1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-host", host, "-import", "-path", file}, os.Stdin, &out, &errs)
	want := []string{"consistency=all&db=a&precision=ns&rp=autogen m v=1 1\nm v=2 2", "consistency=all&db=b&precision=ns refused v=1 1"}
	if code != 1 || strings.Join(*writes, "|") != strings.Join(want, "|") {
		t.Errorf("code %d, writes %q, want %q", code, *writes, want)
	}
	if !strings.HasSuffix(out.String(), "Processed 1 commands\nProcessed 2 inserts\nFailed 1 inserts\n") {
		t.Errorf("output %q", out.String())
	}
}

func TestImportKeepsStringsOfSeveralLines(t *testing.T) {
	for _, point := range []string{
		"m,t=\"a s=\"one\n\n# two\n  # DDL \\\" \\\\\",v=1 1", "m \"f=\"a\nb\",\"g=2 1", "m s=\"cr\r\nlf\" 1", `m\ "x,t=\=" v=1 1`,
	} {
		host, writes := server(t, "")
		file := filepath.Join(t.TempDir(), "export")
		if err := os.WriteFile(file, []byte("# DML\n# CONTEXT-DATABASE:a\n"+point+"\r\nn v=1 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"-host", host, "-import", "-path", file}, os.Stdin, &out, &errs)
		if want := "consistency=all&db=a&precision=ns " + point + "\nn v=1 1"; code != 0 || len(*writes) != 1 || (*writes)[0] != want {
			t.Errorf("code %d, writes %q, want %q", code, *writes, want)
		}
		if !strings.Contains(out.String(), "Processed 2 inserts") {
			t.Errorf("output %q, want 2 inserts", out.String())
		}
	}
}

func TestShellCommands(t *testing.T) {
	host, _ := server(t, `{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["d"],["p"]]}]}]}`)
	o, err := parse([]string{"-host", host}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := newShell(o, &out)
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"use d.p", true},
		{"use nosuch", false},
		{"precision rfc3339", true},
		{"precision day", false},
		{"format csv", true},
		{"pretty", true},
		{"chunk size 100", true},
		{"chunk size x", false},
		{"settings", true},
		{"help", true},
		{"clear rp", true},
		{"node 1", true},
		{"connect " + host, true},
		{"  ", true},
	} {
		if err := s.execute(t.Context(), c.line); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.line, err)
		}
	}
	if s.database != "d" || s.policy != "" || s.precision != "rfc3339" || s.printer.format != "csv" || s.chunkSize != 100 {
		t.Errorf("after the commands the session is %+v", s)
	}
}
