package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// faultFor is how long a server is in trouble while Telegraf writes.
const faultFor = 20 * time.Second

// faulty is a server that trouble comes to, at an address that stays.
type faulty struct {
	*harness.Process
	t    *testing.T
	args []string
	dir  string
}

func (f *faulty) start() {
	f.t.Helper()
	flags := f.args
	if f.Process != nil {
		flags = append([]string{"--http-bind-address", strings.TrimPrefix(f.URL, "http://")}, flags...)
	}
	server, err := harness.Start(*binary, f.dir, flags...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Process = server
}

// TestTelegrafLosesNothing lets Telegraf write to a server in trouble that
// passes: what Telegraf collected, by its own copy in a file, is all there in
// the end, and nothing else.
func TestTelegrafLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, f *faulty) // before the first start
		trouble func(t *testing.T, f *faulty) // returns when it has passed
	}{
		{"restarts", nil, restarts},
		{"overload", nil, overload},
		{"full disk", smallDisk, fillDisk},
		{"no etcd", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ready(t, *telegraf)
			f := &faulty{t: t, dir: filepath.Join(t.TempDir(), "data")}
			trouble := c.trouble
			if c.name == "no etcd" {
				etcd := harness.StartEtcds(t, 1)[0]
				f.args = []string{"--etcd-endpoints", etcd.Endpoint}
				trouble = func(*testing.T, *faulty) {
					etcd.Stop()
					time.Sleep(faultFor)
					etcd.Start()
				}
			}
			if c.prepare != nil {
				c.prepare(t, f)
			}
			f.start()
			t.Cleanup(func() {
				if err := f.Stop(); err != nil {
					t.Error(err)
				}
			})
			copied := writeThroughTrouble(t, f, trouble)
			lines := bytes.Count(copied, []byte("\n"))
			values(t, f.Process, "", "CREATE DATABASE copy")
			if err := f.Write("copy", string(copied)); err != nil {
				t.Fatal(err)
			}
			compareDatabases(t, f.Process, "telegraf", "copy")
			t.Logf("%d metrics collected, all there", lines)
		})
	}
}

// writeThroughTrouble gives Telegraf's own copy of what it collected.
func writeThroughTrouble(t *testing.T, f *faulty, trouble func(*testing.T, *faulty)) []byte {
	dir := t.TempDir()
	config := many(t, dir, 100)
	copied := filepath.Join(dir, "copy")
	cmd := exec.Command(*telegraf, "--config", config)
	cmd.Env = append(os.Environ(), "VARVE_URL="+f.URL, "COPY="+copied)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = cmd.Wait()                       // its log says more
	})
	defer stop()
	time.Sleep(5 * time.Second)
	trouble(t, f)
	// What is left is sent within a few flushes, and the last of it at the end.
	time.Sleep(15 * time.Second)
	stop()
	b, err := os.ReadFile(copied)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if !strings.Contains(log.String(), " W! ") && !strings.Contains(log.String(), " E! ") {
		t.Errorf("Telegraf did not notice any trouble:\n%s", log.String())
	}
	if strings.Contains(log.String(), "dropped") {
		t.Errorf("Telegraf dropped something:\n%s", log.String())
	}
	return b
}

// many writes the configuration of testdata with n inputs more.
func many(t *testing.T, dir string, n int) string {
	config, err := os.ReadFile("testdata/telegraf_many.conf")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		config = fmt.Appendf(config, `
[[inputs.mock]]
  metric_name = "mock%d"
  [inputs.mock.tags]
    instance = "i%d"
  [[inputs.mock.sine_wave]]
    name = "wave"
    amplitude = 10.0
    period = 30.0
`, i%10, i)
	}
	name := filepath.Join(dir, "telegraf.conf")
	if err := os.WriteFile(name, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// compareDatabases looks for points that one of two databases has and the other
// has not.
func compareDatabases(t *testing.T, server *harness.Process, got, want string) {
	t.Helper()
	measurements := values(t, server, want, "SHOW MEASUREMENTS")
	if g := values(t, server, got, "SHOW MEASUREMENTS"); !reflect.DeepEqual(g, measurements) {
		t.Errorf("measurements %v, want %v", g, measurements)
	}
	for _, m := range measurements {
		query := fmt.Sprintf("SELECT * FROM %q GROUP BY *", m[0])
		g, w := values(t, server, got, query), values(t, server, want, query)
		if !reflect.DeepEqual(g, w) {
			t.Errorf("%s: %d rows, want %d, or not the same", m[0], len(g), len(w))
		}
	}
}

// restarts ends the server in order and by SIGKILL in turns.
func restarts(t *testing.T, f *faulty) {
	for i := range 6 {
		if i%2 == 0 {
			if err := f.Stop(); err != nil {
				t.Error(err)
			}
		} else {
			f.Kill()
		}
		time.Sleep(2 * time.Second)
		f.start()
		time.Sleep(2 * time.Second)
	}
}

// overload gives the server a fifth of a processor and more writers than it can
// serve. Telegraf is one of them.
func overload(t *testing.T, f *faulty) {
	group, err := harness.NewCgroup("1g")
	if err != nil {
		t.Skipf("needs root and cgroups: %v", err)
	}
	defer group.Remove()
	if err := group.SetCPUs(0.1); err != nil {
		t.Skipf("needs root and cgroups: %v", err)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	f.args = append(f.args, "--memory-limit", "256m")
	f.start()
	if err := group.Add(f.PID()); err != nil {
		t.Fatal(err)
	}
	values(t, f.Process, "", "CREATE DATABASE load")
	gen := harness.NewCPUOnly(1000)
	gen.SetTime(time.Now())
	body := gen.AppendLines(nil, 20_000)
	var (
		wg            sync.WaitGroup
		mu            sync.Mutex
		taken, denied int
	)
	end := time.Now().Add(faultFor)
	for range 16 {
		wg.Go(func() {
			for time.Now().Before(end) {
				resp, err := http.Post(f.URL+"/write?db=load", "", bytes.NewReader(body))
				mu.Lock()
				if err == nil && resp.StatusCode == http.StatusNoContent {
					taken++
				} else {
					denied++
				}
				mu.Unlock()
				if err != nil {
					continue
				}
				if resp.StatusCode/100 == 4 {
					t.Errorf("overload was answered by %s", resp.Status)
				}
				_, _ = io.Copy(io.Discard, resp.Body) // to use the connection again
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	t.Logf("%d batches taken, %d not", taken, denied)
	if err := f.Stop(); err != nil { // the group goes with it
		t.Error(err)
	}
	f.start()
}

// smallDisk gives the server a disk of its own.
func smallDisk(t *testing.T, f *faulty) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", f.dir).CombinedOutput(); err != nil {
		t.Skipf("needs root: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", f.dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// fillDisk takes all that is free of the server's disk for a while.
func fillDisk(t *testing.T, f *faulty) {
	ballast := filepath.Join(f.dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	t.Logf("the disk is full: %v", err)
	time.Sleep(faultFor)
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Error(err)
	}
}
