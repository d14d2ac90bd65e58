package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/continuous"
	"github.com/varvedb/varve/coordinator/subscriber"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/control"
	"github.com/varvedb/varve/meta/embedded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// config is what a server was told.
type config struct {
	dataDir              string
	httpAddress          string
	httpAdvertise        string
	allowUnauthenticated bool
	nodeName             string
	roles                []meta.Role
	labels               map[string]string

	rpc           port // listen is "" for a server that stays alone
	metaClient    port
	metaPeer      port
	join          []string
	joinToken     string
	joinTokenFile string
	tls           trust.Files

	etcd             embedded.ClientConfig // without endpoints: embedded
	etcdPasswordFile string

	consistency  coordinator.Level
	replication  int
	replaceAfter time.Duration
	catchupBytes int64
	catchupAge   time.Duration

	continuousOff bool
	continuous    continuous.Config
	subscriberOff bool
	subscriber    subscriber.Config

	logLevel    slog.Level
	unsigned    bool
	extensions  bool
	memoryLimit int64 // bytes; 0: by the machine
	limits      model.SeriesLimits
	queries     query.Config // MaxBytes 0: by memoryLimit
	maxRowLimit int
}

// port is an address that is served, and by which others reach it.
type port struct {
	listen    string // HOST:PORT
	advertise string // HOST:PORT; "": as it is listened on
}

// reached gives the address for others.
func (p port) reached() string {
	if p.advertise != "" {
		return p.advertise
	}
	return p.listen
}

func defaultConfig() config {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "varve"
	}
	return config{
		dataDir:      "./varve-data",
		httpAddress:  "127.0.0.1:8086",
		nodeName:     name,
		roles:        []meta.Role{meta.RoleMeta, meta.RoleData, meta.RoleCoordinator},
		consistency:  coordinator.DefaultConfig().Level,
		limits:       coordinator.DefaultConfig().Limits,
		queries:      queryConfig(),
		replication:  meta.DefaultConfig().DefaultReplication,
		continuous:   continuous.DefaultConfig(),
		subscriber:   subscriber.DefaultConfig(),
		replaceAfter: control.DefaultConfig().ReplaceAfter,
		catchupBytes: data.DefaultConfig().CatchupMaxBytes,
		catchupAge:   data.DefaultConfig().CatchupMaxAge,
	}
}

// queryConfig gives the settings of queries where nothing else is said.
func queryConfig() query.Config {
	cfg := query.DefaultConfig()
	cfg.MaxBytes = 0
	return cfg
}

// Ports of etcd where nothing else is said.
const (
	metaClientPort = "2379"
	metaPeerPort   = "2380"
)

// complete fills in what follows from the rest.
func (c *config) complete() error {
	if c.rpc.listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.rpc.listen)
	if err != nil {
		return err
	}
	reached, _, err := net.SplitHostPort(c.rpc.reached())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(reached); reached == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("rpc-bind-address %s: all addresses of this machine; rpc-advertise-address must say by which others reach it", c.rpc.listen)
	}
	for _, p := range []struct {
		port   *port
		number string
	}{{&c.metaClient, metaClientPort}, {&c.metaPeer, metaPeerPort}} {
		if p.port.listen == "" {
			p.port.listen = net.JoinHostPort(host, p.number)
		}
		if p.port.advertise == "" && reached != host {
			_, number, err := net.SplitHostPort(p.port.listen)
			if err != nil {
				return err
			}
			p.port.advertise = net.JoinHostPort(reached, number)
		}
	}
	if len(c.join) > 0 {
		// All nodes may be given one list.
		others := slices.DeleteFunc(slices.Clone(c.join), func(a string) bool { return a == c.rpc.listen || a == c.rpc.reached() })
		if len(others) == 0 {
			return fmt.Errorf("join %s: that is this node itself; the first node of a cluster joins nobody", strings.Join(c.join, ","))
		}
		c.join = others
	}
	if c.joinTokenFile != "" {
		if c.joinToken, err = readSecret("join-token-file", c.joinTokenFile); err != nil {
			return err
		}
	}
	return nil
}

// readSecret reads a file that a setting names.
func readSecret(setting, name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s: %s is empty", setting, name)
	}
	return text, nil
}

func (c *config) has(r meta.Role) bool { return slices.Contains(c.roles, r) }

// clustered reports whether other nodes can be reached.
func (c *config) clustered() bool { return c.rpc.listen != "" }

// external reports whether etcd is not ours.
func (c *config) external() bool { return len(c.etcd.Endpoints) > 0 }

// check reports settings that do not fit together, after complete.
func (c *config) check() error {
	switch {
	case !c.clustered() && len(c.join) > 0:
		return errors.New("join: rpc-bind-address must be set, the other nodes must reach this one")
	case !c.clustered() && (!c.has(meta.RoleData) || !c.has(meta.RoleCoordinator)):
		return fmt.Errorf("roles %s: a server that is alone needs data and coordinator; rpc-bind-address lets it have company", joinRoles(c.roles))
	case !c.has(meta.RoleMeta) && !c.external() && !c.clustered():
		return fmt.Errorf("roles %s: without the role meta etcd-endpoints or join must be set", joinRoles(c.roles))
	case c.tls != (trust.Files{}) && (c.tls.Certificate == "" || c.tls.Key == "" || c.tls.Authority == ""):
		return errors.New("tls-certificate, tls-key and tls-ca are set together or not at all")
	case c.external() && (c.etcd.TLS.CertFile == "") != (c.etcd.TLS.KeyFile == ""):
		return errors.New("etcd-tls-certificate and etcd-tls-key are set together or not at all")
	case (c.etcd.User == "") != (c.etcdPasswordFile == ""):
		return errors.New("etcd-user and etcd-password-file are set together or not at all")
	case c.memoryLimit != 0 && c.memoryLimit < minMemory:
		return fmt.Errorf("memory-limit: %d bytes: at least 128m are needed", c.memoryLimit)
	}
	if c.joinToken != "" {
		if _, err := trust.ParseToken(c.joinToken); err != nil {
			return fmt.Errorf("join-token: %w", err)
		}
	}
	return c.checkAddress()
}

func joinRoles(roles []meta.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}
