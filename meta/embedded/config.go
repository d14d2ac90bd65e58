package embedded

import (
	"fmt"
	"time"
)

// Config is how etcd in this process behaves.
type Config struct {
	// Quota bounds the bytes of etcd's database; over it changes are refused.
	Quota int64 `toml:"quota"`
	// HistoryKept is how long old revisions are kept.
	HistoryKept time.Duration `toml:"history-kept"`

	// Name of the member, unique in the cluster; "" for one without ports.
	Name string `toml:"-"`
	// Client and Peer are the two ports, for clients of etcd and for its other
	// members: both or none.
	Client Port `toml:"-"`
	Peer   Port `toml:"-"`
	// SharePorts lets them be served though another socket of this user holds
	// them, which does not listen.
	SharePorts bool `toml:"-"`
	// InitialCluster is what Client.Join gave, for a directory that is new.
	// Where there is none the member makes a cluster of its own.
	InitialCluster string `toml:"-"`
}

// Port is an address that etcd serves.
type Port struct {
	Listen    string // HOST:PORT, HOST an IP address or empty; "": no port
	Advertise string // HOST:PORT by which others reach it; "": Listen
	TLS       TLS
}

// TLS names the files for mutual TLS, of the serving and of the calling side
// alike. The zero TLS stands for plain connections. Files are read anew at each
// handshake, but for the CA's.
type TLS struct {
	CertFile, KeyFile, CAFile string
	// ServerName is what the certificates of the other side must name; "": the
	// host that was dialled.
	ServerName string
}

// DefaultConfig gives the settings of a server that was told nothing.
func DefaultConfig() Config {
	return Config{Quota: 2 << 30, HistoryKept: time.Hour}
}

// Validate says what is wrong with c.
func (c *Config) Validate() error {
	switch {
	case c.Quota < 64<<20 || c.Quota > 8<<30:
		return fmt.Errorf("quota: must be between 64 MiB and 8 GiB, not %d bytes", c.Quota)
	case c.HistoryKept < time.Minute:
		return fmt.Errorf("history-kept: must be at least 1m, not %s", c.HistoryKept)
	case (c.Client.Listen == "") != (c.Peer.Listen == ""):
		return fmt.Errorf("etcd needs both a port for clients (%q) and one for peers (%q), or none", c.Client.Listen, c.Peer.Listen)
	case c.Client.Listen != "" && c.Name == "":
		return fmt.Errorf("a member of a cluster needs a name")
	}
	return nil
}

// ClientConfig is how an etcd elsewhere is reached.
type ClientConfig struct {
	Endpoints      []string // HOST:PORT, or URLs
	TLS            TLS
	User, Password string
}
