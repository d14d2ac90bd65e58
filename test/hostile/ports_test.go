package hostile

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// ports are where the listeners of a server are.
type ports struct{ udp, graphite, openTSDB, collectd int }

func freePorts(t testing.TB) ports {
	free := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	return ports{free(), free(), free(), free()}
}

// config gives the sections of the listeners, with InfluxDB's keys.
func (p ports) config(typesDB string) string {
	return fmt.Sprintf(`
[[udp]]
  enabled = true
  bind-address = "127.0.0.1:%d"
  database = "udp"
[[graphite]]
  enabled = true
  bind-address = "127.0.0.1:%d"
  database = "graphite"
[[opentsdb]]
  enabled = true
  bind-address = "127.0.0.1:%d"
  database = "opentsdb"
[[collectd]]
  enabled = true
  bind-address = "127.0.0.1:%d"
  database = "collectd"
  batch-timeout = "1s"
  typesdb = %q
`, p.udp, p.graphite, p.openTSDB, p.collectd, typesDB)
}

// typesDB writes what collectd's values are called, and gives the file.
func typesDB(t testing.TB, dir string) string {
	file := filepath.Join(dir, "types.db")
	if err := os.WriteFile(file, []byte("cpu value:DERIVE:0:U\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
