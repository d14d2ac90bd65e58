package harness

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// influxConfig is InfluxDB 1.8 as people run it, but on one port, without
// reporting and without its own statistics, which would be writes of its own.
const influxConfig = `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "%[1]s/meta"
[data]
  dir = "%[1]s/data"
  wal-dir = "%[1]s/wal"
  index-version = "tsi1"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "%[2]s"
  log-enabled = false
`

// StartInfluxDB runs an InfluxDB 1.x on dir and waits until it answers.
func StartInfluxDB(binary, dir string) (*Process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close() // influxd does not say which port it took, so it is given a free one
	file := filepath.Join(dir, "influxdb.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, influxConfig, dir, address), 0o600); err != nil {
		return nil, err
	}
	p := &Process{URL: "http://" + address, cmd: exec.Command(binary, "-config", file), log: &tail{}, exit: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exit)
	}()
	for end := time.Now().Add(readyTimeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-p.exit:
			return nil, fmt.Errorf("influxd ended before it was ready: %w\n%s", p.err, p.log)
		default:
		}
		if resp, err := http.Get(p.URL + "/ping"); err == nil {
			resp.Body.Close()
			return p, nil
		}
	}
	p.Kill()
	return nil, fmt.Errorf("influxd not ready after %v\n%s", readyTimeout, p.log)
}
