package clients

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/grafana"
	"github.com/varvedb/varve/test/harness"
)

var (
	run      = flag.Bool("clients", false, "run the real clients (make compat-clients)")
	binary   = flag.String("binary", "", "the varved to talk to; built when empty")
	telegraf = flag.String("telegraf", "", "a Telegraf with the inputs cpu, mem and internal and both InfluxDB outputs")
	duration = flag.Duration("duration", time.Minute, "how long Telegraf writes")
)

// ready skips a test where its client cannot be run, and sees to the server.
func ready(t *testing.T, program string) {
	t.Helper()
	if !*run {
		t.Skip("real clients run by make compat-clients")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s could not be installed here", program)
	}
	if *binary == "" {
		*binary = harness.Build(t)
	}
}

// start gives a server for one test, or skips it.
func start(t *testing.T, program string) *harness.Process {
	t.Helper()
	ready(t, program)
	server, err := harness.Start(*binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// values gives the rows that a query has.
func values(t *testing.T, server *harness.Process, db, query string) [][]any {
	t.Helper()
	rows, err := server.Query(db, query)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// runTelegraf lets Telegraf write for the given time and looks at what it says.
func runTelegraf(t *testing.T, server *harness.Process, config string) {
	t.Helper()
	cmd := exec.Command(*telegraf, "--config", config)
	cmd.Env = append(os.Environ(), "VARVE_URL="+server.URL)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(*duration)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	cmd.Wait()
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, " E! ") || strings.Contains(line, "dropped") {
			t.Errorf("Telegraf said: %s", line)
		}
	}
}

func TestTelegrafWritesForAMinute(t *testing.T) {
	for _, c := range []struct{ config, db, precreate string }{
		{"testdata/telegraf.conf", "telegraf", ""},
		{"testdata/telegraf_v2.conf", "v2", "v2"},
	} {
		t.Run(c.db, func(t *testing.T) {
			server := start(t, *telegraf)
			if c.precreate != "" {
				values(t, server, "", `CREATE DATABASE "`+c.precreate+`"`)
			}
			runTelegraf(t, server, c.config)
			rows := values(t, server, c.db, `SELECT count(usage_idle) FROM cpu WHERE cpu = 'cpu-total'`)
			if len(rows) != 1 {
				t.Fatal("no rows of cpu-total")
			}
			got, want := rows[0][1].(float64), duration.Seconds()*0.8-5
			if got < want {
				t.Errorf("%v rows of cpu-total in %v, want at least %v", got, *duration, want)
			}
			dropped := values(t, server, c.db, `SELECT max(metrics_dropped), max(metrics_written) FROM internal_write`)
			if len(dropped) != 1 || dropped[0][1].(float64) != 0 {
				t.Errorf("Telegraf's own count of dropped and written metrics: %v", dropped)
			}
			t.Logf("%v: %v rows of cpu-total; dropped, written: %v", *duration, got, dropped[0][1:])
		})
	}
}

// TestDashboardsShowWhatTelegrafWrote runs Telegraf with the configuration of
// the compose file and then sends every query of every dashboard.
func TestDashboardsShowWhatTelegrafWrote(t *testing.T) {
	server := start(t, *telegraf)
	begin := time.Now()
	runTelegraf(t, server, "../../docker/telegraf.conf")
	files, err := filepath.Glob("../../grafana/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		d, err := grafana.ReadDashboard(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := grafana.Show(d, server, begin, time.Now())
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d queries returned rows", d.Title, n)
	}
}

func TestInfluxShell(t *testing.T) {
	server := start(t, "influx")
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for _, c := range []struct{ execute, format, want string }{
		{"CREATE DATABASE shell", "column", ""},
		{`INSERT cpu,host=a\ b usage=1.5,n=2i,s="x, y" 1000`, "column", ""},
		{`INSERT cpu,host=c usage=2 2000`, "column", ""},
		{"SELECT * FROM cpu", "column", "name: cpu\ntime host n s    usage\n---- ---- - -    -----\n1000 a b  2 x, y 1.5\n2000 c           2\n"},
		{"SELECT * FROM cpu GROUP BY host", "csv", "name,tags,time,n,s,usage\ncpu,host=a b,1000,2,\"x, y\",1.5\nname,tags,time,n,s,usage\ncpu,host=c,2000,,,2\n"},
		{"SHOW MEASUREMENTS", "csv", "name,name\nmeasurements,cpu\n"},
		{"SHOW TAG VALUES WITH KEY = host", "column", "name: cpu\nkey  value\n---  -----\nhost a b\nhost c\n"},
		{"SHOW FIELD KEYS", "csv", "name,fieldKey,fieldType\ncpu,n,integer\ncpu,s,string\ncpu,usage,float\n"},
		{"SELECT mean(usage) FROM cpu", "json", `{"results":[{"series":[{"name":"cpu","columns":["time","mean"],"values":[[0,1.75]]}]}]}` + "\n"},
	} {
		for _, shell := range []string{"influx", "varve"} {
			if shell == "varve" && strings.HasPrefix(c.execute, "INSERT") {
				continue // written once
			}
			program := shell
			if shell == "varve" {
				program = filepath.Join(filepath.Dir(*binary), "varve")
				if _, err := os.Stat(program); err != nil {
					continue
				}
			}
			out, err := exec.Command(program, "-host", host, "-port", port, "-database", "shell", "-format", c.format, "-execute", c.execute).CombinedOutput()
			got := strings.ReplaceAll(string(out), `"statement_id":0,`, "")
			if err != nil || got != c.want {
				t.Errorf("%s: %s: %v\n got %q\nwant %q", shell, c.execute, err, out, c.want)
			}
		}
	}
}

func TestInfluxDBPython(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which sees Debian's packages
	server := start(t, python)
	if err := exec.Command(python, "-c", "import influxdb").Run(); err != nil {
		t.Skipf("python3-influxdb could not be installed here: %v", err)
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	out, err := exec.Command(python, "testdata/client.py", host, port, "user", "password").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
