package ingest

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/model"
)

// Config is the listeners that are to be opened. The names of settings and their
// defaults are InfluxDB's; one that is 0 or empty has its default.
type Config struct {
	UDP      []UDP      `toml:"udp"`
	Graphite []Graphite `toml:"graphite"`
	OpenTSDB []OpenTSDB `toml:"opentsdb"`
	Collectd []Collectd `toml:"collectd"`
}

// UDP is a listener for line protocol.
type UDP struct {
	Enabled          bool          `toml:"enabled"`
	BindAddress      string        `toml:"bind-address"`
	Database         string        `toml:"database"`
	RetentionPolicy  string        `toml:"retention-policy"`  // "": the database's default
	ConsistencyLevel string        `toml:"consistency-level"` // "": the server's
	BatchSize        int           `toml:"batch-size"`        // points of one write
	BatchPending     int           `toml:"batch-pending"`     // writes that wait, before points are dropped
	BatchTimeout     time.Duration `toml:"batch-timeout"`     // how long a point waits for others
	ReadBuffer       int           `toml:"read-buffer"`       // bytes that the kernel keeps; 0: as it likes
	Precision        string        `toml:"precision"`         // of timestamps, as for /write
}

// Graphite is a listener for Graphite's plaintext protocol.
type Graphite struct {
	Enabled            bool          `toml:"enabled"`
	BindAddress        string        `toml:"bind-address"`
	Database           string        `toml:"database"`
	RetentionPolicy    string        `toml:"retention-policy"`
	Protocol           string        `toml:"protocol"` // tcp or udp
	ConsistencyLevel   string        `toml:"consistency-level"`
	BatchSize          int           `toml:"batch-size"`
	BatchPending       int           `toml:"batch-pending"`
	BatchTimeout       time.Duration `toml:"batch-timeout"`
	Templates          []string      `toml:"templates"` // "[filter] template [tag=value,…]"
	Tags               []string      `toml:"tags"`      // "key=value", for points that lack the key
	Separator          string        `toml:"separator"` // between parts of one name or value
	UDPReadBuffer      int           `toml:"udp-read-buffer"`
	MaxConnectionLimit int           `toml:"max-connection-limit"`
}

// OpenTSDB is a listener for OpenTSDB's telnet protocol, and its HTTP on the
// same port.
type OpenTSDB struct {
	Enabled            bool          `toml:"enabled"`
	BindAddress        string        `toml:"bind-address"`
	Database           string        `toml:"database"`
	RetentionPolicy    string        `toml:"retention-policy"`
	ConsistencyLevel   string        `toml:"consistency-level"`
	TLSEnabled         bool          `toml:"tls-enabled"`
	Certificate        string        `toml:"certificate"` // a file with certificate and key
	BatchSize          int           `toml:"batch-size"`
	BatchPending       int           `toml:"batch-pending"`
	BatchTimeout       time.Duration `toml:"batch-timeout"`
	LogPointErrors     bool          `toml:"log-point-errors"`
	MaxConnectionLimit int           `toml:"max-connection-limit"`
}

// Collectd is a listener for collectd's binary protocol.
type Collectd struct {
	Enabled               bool          `toml:"enabled"`
	BindAddress           string        `toml:"bind-address"`
	Database              string        `toml:"database"`
	RetentionPolicy       string        `toml:"retention-policy"`
	ConsistencyLevel      string        `toml:"consistency-level"`
	BatchSize             int           `toml:"batch-size"`
	BatchPending          int           `toml:"batch-pending"`
	BatchTimeout          time.Duration `toml:"batch-timeout"`
	ReadBuffer            int           `toml:"read-buffer"`
	TypesDB               string        `toml:"typesdb"`                 // a file, or a folder of files
	SecurityLevel         string        `toml:"security-level"`          // none, sign or encrypt: what a packet must be at least
	AuthFile              string        `toml:"auth-file"`               // lines "user: password"
	ParseMultiValuePlugin string        `toml:"parse-multivalue-plugin"` // split or join
}

// DefaultConfig has one listener of each kind with InfluxDB's settings, none of
// them enabled.
func DefaultConfig() Config {
	return Config{
		UDP:      []UDP{DefaultUDP()},
		Graphite: []Graphite{DefaultGraphite()},
		OpenTSDB: []OpenTSDB{DefaultOpenTSDB()},
		Collectd: []Collectd{DefaultCollectd()},
	}
}

// DefaultUDP gives what a [[udp]] table leaves open.
func DefaultUDP() UDP {
	return UDP{BindAddress: ":8089", Database: "udp", BatchSize: 5000, BatchPending: 10, BatchTimeout: time.Second, Precision: "n"}
}

// DefaultGraphite gives what a [[graphite]] table leaves open.
func DefaultGraphite() Graphite {
	return Graphite{
		BindAddress: ":2003", Database: "graphite", Protocol: "tcp", BatchSize: 5000, BatchPending: 10,
		BatchTimeout: time.Second, Separator: ".", MaxConnectionLimit: defaultConnections,
	}
}

// DefaultOpenTSDB gives what an [[opentsdb]] table leaves open.
func DefaultOpenTSDB() OpenTSDB {
	return OpenTSDB{
		BindAddress: ":4242", Database: "opentsdb", Certificate: "/etc/ssl/influxdb.pem", BatchSize: 1000, BatchPending: 5,
		BatchTimeout: time.Second, LogPointErrors: true, MaxConnectionLimit: defaultConnections,
	}
}

// DefaultCollectd gives what a [[collectd]] table leaves open.
func DefaultCollectd() Collectd {
	return Collectd{
		BindAddress: ":25826", Database: "collectd", BatchSize: 5000, BatchPending: 10, BatchTimeout: 10 * time.Second,
		TypesDB: "/usr/share/collectd/types.db", SecurityLevel: "none", AuthFile: "/etc/collectd/auth_file",
		ParseMultiValuePlugin: "split",
	}
}

// defaultConnections bounds the connections of a listener where nothing else is
// said. One costs a goroutine and its buffer, up to maxLineBytes.
const defaultConnections = 1000

// Validate reports the first setting that cannot work. Only listeners that are
// enabled are looked at.
func (c *Config) Validate() error {
	for i, u := range c.UDP {
		if err := u.complete().validate(); u.Enabled && err != nil {
			return invalid("udp", i, err)
		}
	}
	for i, g := range c.Graphite {
		if err := g.complete().validate(); g.Enabled && err != nil {
			return invalid("graphite", i, err)
		}
	}
	for i, o := range c.OpenTSDB {
		if err := o.complete().validate(); o.Enabled && err != nil {
			return invalid("opentsdb", i, err)
		}
	}
	for i, d := range c.Collectd {
		if err := d.complete().validate(); d.Enabled && err != nil {
			return invalid("collectd", i, err)
		}
	}
	return nil
}

// CheckFiles reports the first listener that cannot use the files that it names.
func (c *Config) CheckFiles() error {
	for i, o := range c.OpenTSDB {
		if !o.Enabled {
			continue
		}
		if _, err := o.complete().live(certificate.Serving{}, slog.New(slog.DiscardHandler)); err != nil {
			return invalid("opentsdb", i, err)
		}
	}
	for i, d := range c.Collectd {
		if !d.Enabled {
			continue
		}
		if _, err := d.complete().parser(); err != nil {
			return invalid("collectd", i, err)
		}
	}
	return nil
}

func invalid(kind string, i int, err error) error {
	return fmt.Errorf("[[%s]] %d: %w: %w", kind, i, err, model.ErrInvalid)
}
