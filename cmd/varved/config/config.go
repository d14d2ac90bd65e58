package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/audit"
	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/coordinator/continuous"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/coordinator/ingest"
	"github.com/varvedb/varve/coordinator/monitor"
	"github.com/varvedb/varve/coordinator/subscriber"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/control"
	"github.com/varvedb/varve/meta/embedded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

// Config is what a server was told.
type Config struct {
	DataDir              string
	HTTPAddress          string
	HTTPAdvertise        string
	AllowUnauthenticated bool
	AuthEnabled          bool // without it nobody is asked who he is
	Auth                 auth.Config
	Realm                string
	PingAuth             bool
	AuditLog             string // a file; "": one below DataDir where AuthEnabled; NoAuditLog: none
	Audit                audit.Config
	DebugOpen            bool
	ProfilesOff          bool
	AllowedOrigins       []string // whose pages may change something
	NodeName             string
	Roles                []meta.Role
	Labels               map[string]string

	RPC        Port // listen is "" for a server that stays alone
	MetaClient Port
	MetaPeer   Port
	Join       []string
	JoinToken  string
	TLS        certificate.Files

	HTTPS  HTTPS
	Socket Socket

	Etcd embedded.ClientConfig // without endpoints: embedded

	Consistency  coordinator.Level
	Replication  int
	ReplaceAfter time.Duration
	CatchupBytes int64
	CatchupAge   time.Duration

	ContinuousOff bool
	Continuous    continuous.Config
	SubscriberOff bool
	Subscriber    subscriber.Config
	Listeners     ingest.Config

	FirstStart FirstStart

	LogLevel    slog.Level
	AccessLog   AccessLog
	Monitor     monitor.Config
	Tracing     tracing.Config
	Unsigned    bool
	Extensions  bool
	MemoryLimit int64 // bytes; 0: by the machine
	Limits      model.SeriesLimits
	Queries     query.Config // MaxBytes 0: by memoryLimit
	MaxRowLimit int
	HTTP        httpapi.Config      // its limits; MaxBodyBytes 0: by memoryLimit
	Lines       lineprotocol.Config // its limits
}

// AccessLog is what is written of HTTP requests, and where.
type AccessLog struct {
	Enabled        bool
	Path           string // "": where the log goes
	Statuses       []string
	SuppressWrites bool
}

// Port is an address that is served, and by which others reach it.
type Port struct {
	Listen    string // HOST:PORT
	Advertise string // HOST:PORT; "": as it is listened on
}

// Reached gives the address for others.
func (p Port) Reached() string {
	if p.Advertise != "" {
		return p.Advertise
	}
	return p.Listen
}

// DefaultConfig gives the settings of a server that is told nothing.
func DefaultConfig() Config {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "varve"
	}
	return Config{
		HTTPS:        HTTPS{Serving: certificate.Serving{MinVersion: tls.VersionTLS12}},
		Socket:       Socket{Path: "/var/run/influxdb.sock", Mode: 0o777},
		DataDir:      "./varve-data",
		HTTPAddress:  "127.0.0.1:8086",
		Auth:         auth.DefaultConfig(),
		Audit:        audit.DefaultConfig(),
		Realm:        httpapi.DefaultConfig().Realm,
		NodeName:     name,
		Roles:        []meta.Role{meta.RoleMeta, meta.RoleData, meta.RoleCoordinator},
		Consistency:  coordinator.DefaultConfig().Level,
		Limits:       coordinator.DefaultConfig().Limits,
		Queries:      queryConfig(),
		Replication:  meta.DefaultConfig().DefaultReplication,
		Continuous:   continuous.DefaultConfig(),
		Subscriber:   subscriber.DefaultConfig(),
		Listeners:    ingest.DefaultConfig(),
		Monitor:      monitor.DefaultConfig(),
		Tracing:      tracing.DefaultConfig(),
		HTTP:         httpapi.DefaultConfig(),
		Lines:        lineprotocol.DefaultConfig(),
		ReplaceAfter: control.DefaultConfig().ReplaceAfter,
		CatchupBytes: data.DefaultConfig().CatchupMaxBytes,
		CatchupAge:   data.DefaultConfig().CatchupMaxAge,
	}
}

// queryConfig gives the settings of queries where nothing else is said.
func queryConfig() query.Config {
	cfg := query.DefaultConfig()
	cfg.MaxBytes = 0
	return cfg
}

// NoAuditLog is the name of the audit log where there is to be none.
const NoAuditLog = "none"

// MinMemory is what a server needs to be of use.
const MinMemory = 128 << 20

// Ports of etcd where nothing else is said.
const (
	metaClientPort = "2379"
	metaPeerPort   = "2380"
)

// complete fills in what follows from the rest.
func (c *Config) complete() error {
	if c.HTTPS.Enabled && c.HTTPS.Files.Certificate == "" {
		c.HTTPS.Files.Certificate, c.HTTPS.Files.Key = c.TLS.Certificate, c.TLS.Key
	}
	if c.RPC.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.RPC.Listen)
	if err != nil {
		return err
	}
	reached, _, err := net.SplitHostPort(c.RPC.Reached())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(reached); reached == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("rpc-bind-address %s: all addresses of this machine; rpc-advertise-address must say by which others reach it", c.RPC.Listen)
	}
	for _, p := range []struct {
		port   *Port
		number string
	}{{&c.MetaClient, metaClientPort}, {&c.MetaPeer, metaPeerPort}} {
		if p.port.Listen == "" {
			p.port.Listen = net.JoinHostPort(host, p.number)
		}
		if p.port.Advertise == "" && reached != host {
			_, number, err := net.SplitHostPort(p.port.Listen)
			if err != nil {
				return err
			}
			p.port.Advertise = net.JoinHostPort(reached, number)
		}
	}
	if len(c.Join) > 0 {
		// All nodes may be given one list.
		others := slices.DeleteFunc(slices.Clone(c.Join), func(a string) bool { return a == c.RPC.Listen || a == c.RPC.Reached() })
		if len(others) == 0 {
			return fmt.Errorf("join %s: that is this node itself; the first node of a cluster joins nobody", strings.Join(c.Join, ","))
		}
		c.Join = others
	}
	return nil
}

func (c *Config) Has(r meta.Role) bool { return slices.Contains(c.Roles, r) }

// Clustered reports whether other nodes can be reached.
func (c *Config) Clustered() bool { return c.RPC.Listen != "" }

// External reports whether etcd is not ours.
func (c *Config) External() bool { return len(c.Etcd.Endpoints) > 0 }

// check reports settings that do not fit together, after complete.
func (c *Config) check() error {
	switch {
	case !c.Clustered() && len(c.Join) > 0:
		return errors.New("join: rpc-bind-address must be set, the other nodes must reach this one")
	case !c.Clustered() && (!c.Has(meta.RoleData) || !c.Has(meta.RoleCoordinator)):
		return fmt.Errorf("roles %s: a server that is alone needs data and coordinator; rpc-bind-address lets it have company", JoinRoles(c.Roles))
	case !c.Has(meta.RoleMeta) && !c.External() && !c.Clustered():
		return fmt.Errorf("roles %s: without the role meta etcd-endpoints or join must be set", JoinRoles(c.Roles))
	case (c.TLS.Certificate == "") != (c.TLS.Key == "") || c.TLS.Authority != "" && c.TLS.Key == "" || c.OwnCertificates() && c.TLS.Authority == "":
		return errors.New("tls-certificate, tls-key and, in a cluster, tls-ca are set together or not at all")
	case c.External() && (c.Etcd.TLS.CertFile == "") != (c.Etcd.TLS.KeyFile == ""):
		return errors.New("etcd-tls-certificate and etcd-tls-key are set together or not at all")
	case (c.Etcd.User == "") != (c.Etcd.Password == ""):
		return errors.New("etcd-user and etcd-password are set together or not at all")
	case c.MemoryLimit != 0 && c.MemoryLimit < MinMemory:
		return fmt.Errorf("memory-limit: %d bytes: at least 128m are needed", c.MemoryLimit)
	}
	if err := errors.Join(c.HTTPS.check(), c.FirstStart.check(), c.Listeners.Validate()); err != nil {
		return err
	}
	if c.JoinToken != "" {
		if _, err := trust.ParseToken(c.JoinToken); err != nil {
			return fmt.Errorf("join-token: %w", err)
		}
	}
	if err := c.Monitor.Validate(); err != nil {
		return err
	}
	if err := c.Tracing.Validate(); err != nil {
		return err
	}
	return c.checkAddress()
}

// JoinRoles gives roles as one text.
func JoinRoles(roles []meta.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}
