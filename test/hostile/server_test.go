package hostile

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

const cgroup = "1g"

// server is a server under attack.
type server struct {
	*harness.Process
	t     testing.TB // of the row that runs
	name  string
	start func(t testing.TB) *harness.Process
	group *harness.Cgroup // nil: there can be none here
	db    string          // a database of the row's own
	made  map[string]bool // what was prepared for several rows
	ports ports           // of the listeners
}

func startVarve(t *testing.T) *server {
	file := *varved
	if file == "" {
		file = harness.Build(t)
	}
	s := &server{t: t, name: "varve", group: group(t)}
	dir := scratch(t)
	s.start = func(t testing.TB) *harness.Process {
		s.ports = freePorts(t)
		config := dir + "/varve.toml"
		if err := os.WriteFile(config, []byte(s.ports.config(typesDB(t, dir))), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"--config", config, "--data-dir", dir + "/data", "--http-bind-address", "127.0.0.1:0", "--memory-limit", "600m"}
		p, err := harness.Run(s.command(file, args...))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s.begin(t)
	return s
}

// startInfluxDB has the limits that InfluxDB has by itself.
func startInfluxDB(t *testing.T) *server {
	t.Setenv("INFLUXDB_DATA_MAX_SERIES_PER_DATABASE", "1000000")
	t.Setenv("INFLUXDB_DATA_MAX_VALUES_PER_TAG", "100000")
	t.Setenv("INFLUXDB_COORDINATOR_WRITE_TIMEOUT", "10s")
	s := &server{t: t, name: "influxdb", group: group(t)}
	s.start = func(t testing.TB) *harness.Process {
		s.ports = freePorts(t)
		dir := scratch(t)
		p, err := harness.StartInfluxDB(*influxd, dir, s.ports.config(typesDB(t, dir)))
		if err != nil {
			t.Fatal(err)
		}
		if s.group != nil {
			if err := s.group.Add(p.PID()); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	s.begin(t)
	return s
}

func group(t *testing.T) *harness.Cgroup {
	g, err := harness.NewCgroup(cgroup)
	switch {
	case err == nil:
		t.Cleanup(g.Remove)
		return g
	case *heavy:
		t.Skipf("no control group of %s, which needs root: %v", cgroup, err)
	default:
		t.Logf("without a control group of %s, which needs root: %v", cgroup, err)
	}
	return nil
}

func (s *server) command(file string, args ...string) *exec.Cmd {
	if s.group == nil {
		return exec.Command(file, args...)
	}
	return s.group.Command(file, args...)
}

func (s *server) begin(t *testing.T) {
	s.Process, s.made = s.start(t), map[string]bool{}
	t.Cleanup(func() { s.Kill() })
}

// restart ends the server in peace and starts it on what it has: nothing that it
// was sent may keep it from that.
func (s *server) restart(t *testing.T) {
	s.t = t
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	s.begin(t)
	if err := s.healthy(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// face sends one input and looks at the server afterwards. One that has ended
// is started anew.
func (s *server) face(t testing.TB, r row) outcome {
	s.t = t
	s.db = fmt.Sprintf("row%d", r.number)
	s.ask("CREATE DATABASE " + s.db)
	if r.prepare != nil {
		if r.prepare(s); s.Ended() {
			o := outcome{answer: "what the row needs could not be written", ended: true, how: s.End()}
			s.Process, s.made = s.start(t), map[string]bool{}
			return o
		}
	}
	before := s.usage()
	if err := harness.ResetPeak(s.PID()); err != nil {
		t.Logf("peak memory is that of all rows: %v", err)
	}
	var o outcome
	began := time.Now()
	o.answer = r.send(s)
	o.took, o.cpu = time.Since(began), s.usage().CPU-before.CPU
	if !s.Ended() {
		o.peak = max(0, s.usage().PeakMemory-before.Memory)
		o.unhealthy = s.healthy()
		s.ask("DROP DATABASE " + s.db)
		o.growth = s.settle(before.Anonymous)
		o.panics = s.panics()
	}
	if o.unhealthy != nil {
		time.Sleep(time.Second) // what crashes says so at length before it ends
	}
	if o.ended = s.Ended(); o.ended {
		o.how = s.End()
		t.Logf("%s ended: %s", s.name, lastLines(s.Log()))
	}
	if s.Ended() || o.unhealthy != nil {
		// The next row is not to suffer for this one.
		s.Kill()
		s.Process, s.made = s.start(t), map[string]bool{}
	}
	return o
}

// healthy writes and reads a point.
func (s *server) healthy() error {
	if got := s.ask("CREATE DATABASE healthy"); got != "200" {
		return fmt.Errorf("CREATE DATABASE: %s", got)
	}
	v := time.Now().UnixNano()
	if err := s.Write("healthy", fmt.Sprintf("m v=%di 1", v)); err != nil {
		return err
	}
	rows, err := s.Query("healthy", "SELECT v FROM m")
	if err != nil {
		return err
	}
	if len(rows) != 1 || fmt.Sprintf("%.0f", rows[0][1]) != fmt.Sprintf("%.0f", float64(v)) {
		return fmt.Errorf("wrote %d and read %v", v, rows)
	}
	return nil
}

// settling is how long a server may take to give memory back when it is asked to
// collect its garbage.
const settling = 30 * time.Second

// settle waits until memory is near what it was, and gives by how much it is above.
func (s *server) settle(before int64) int64 {
	atMost := settling
	if !*heavy {
		atMost /= 10
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if s.Ended() {
			return 0
		}
		growth := s.memory() - before
		if growth < maxGrowth || time.Since(began) > atMost {
			return growth
		}
		s.collect()
	}
}

// collect has a server with profiles collect its garbage.
func (s *server) collect() {
	if resp, err := http.Get(s.URL + "/debug/pprof/heap?gc=1"); err == nil {
		resp.Body.Close()
	}
}

func (s *server) usage() harness.Usage {
	u, err := harness.ReadUsage(s.PID())
	if err != nil && !s.Ended() {
		s.t.Errorf("%s: %v", s.name, err)
	}
	return u
}

// memory gives what the server holds that is no page of a file.
func (s *server) memory() int64 { return s.usage().Anonymous }

// panics gives the panics that the server caught.
func (s *server) panics() (n int) {
	m, err := s.Metrics()
	if err != nil {
		return 0 // healthy has said so
	}
	for name, v := range m {
		if strings.Contains(name, "panics_total") {
			n += int(v)
		}
	}
	return n
}

func lastLines(log string) string {
	const most = 1500
	// A crash of a Go program says why in its first lines.
	for _, mark := range []string{"fatal error:", "panic:", "runtime:"} {
		if i := strings.Index(log, mark); i >= 0 {
			log = log[i:]
			return log[:min(len(log), most)]
		}
	}
	return log[max(0, len(log)-most):]
}
