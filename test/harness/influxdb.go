package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// influxConfig is InfluxDB 1.8 as people run it, but on one port, without
// reporting and without its own statistics, which would be writes of its own.
// What it does with data that rests, it does after ten seconds instead of ten
// minutes and four hours: a measurement that waits half a minute sees its files
// as they stay. A write may take long: a slow one is measured, not refused.
const influxConfig = `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "%[1]s/meta"
[data]
  dir = "%[1]s/data"
  wal-dir = "%[1]s/wal"
  index-version = "tsi1"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "10s"
  compact-full-write-cold-duration = "10s"
  max-series-per-database = 0
  max-values-per-tag = 0
[coordinator]
  write-timeout = "10m"
[monitor]
  store-enabled = false
[http]
  bind-address = "%[2]s"
  log-enabled = false
`

// StartInfluxDB runs an InfluxDB 1.x on dir and waits until it answers. http is
// lines of its configuration, of that section.
func StartInfluxDB(binary, dir string, http ...string) (*Process, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf(influxConfig, dir, address) + strings.Join(http, "\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return runUntilItAnswers(exec.Command(binary, "-config", file), "http://"+address, "/ping")
}
