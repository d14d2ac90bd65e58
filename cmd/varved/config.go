package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/varvedb/varve/meta"
)

// config is what a server was told.
type config struct {
	dataDir              string
	httpAddress          string
	allowUnauthenticated bool
	nodeName             string
	roles                []meta.Role
	etcdEndpoints        []string // empty: embedded
	logLevel             slog.Level
	unsigned             bool
	memoryLimit          int64 // bytes; 0: by the machine
}

func defaultConfig() config {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "varve"
	}
	return config{
		dataDir:     "./varve-data",
		httpAddress: "127.0.0.1:8086",
		nodeName:    name,
		roles:       []meta.Role{meta.RoleMeta, meta.RoleData, meta.RoleCoordinator},
	}
}

// setting is one thing that can be told. Its name is the flag's; in a file the
// part before a dash may be a table.
type setting struct {
	name  string
	value string // what --help calls the value; "" for a switch
	usage string
	set   func(c *config, v string) error
}

var settings = []setting{
	{"data-dir", "DIR", "everything the server keeps (default ./varve-data)", func(c *config, v string) error {
		c.dataDir = v
		return notEmpty(v)
	}},
	{"http-bind-address", "HOST:PORT", "where it answers on HTTP (default 127.0.0.1:8086)", func(c *config, v string) error {
		c.httpAddress = v
		_, port, err := net.SplitHostPort(v)
		if err != nil {
			return errors.New("not of the form HOST:PORT")
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errors.New("the port is not a number from 0 to 65535")
		}
		return nil
	}},
	{"allow-unauthenticated", "", "serve an address that is not loopback though everyone may read, write and drop", func(c *config, v string) (err error) {
		c.allowUnauthenticated, err = parseSwitch(v)
		return err
	}},
	{"node-name", "NAME", "the name of this node in the cluster (default: the host's name)", func(c *config, v string) error {
		c.nodeName = v
		return notEmpty(v)
	}},
	{"roles", "LIST", "what this node does (default meta,data,coordinator)", func(c *config, v string) (err error) {
		c.roles, err = parseRoles(v)
		return err
	}},
	{"etcd-endpoints", "LIST", "an etcd of your own in place of the embedded one, as http://host:2379,…", func(c *config, v string) error {
		c.etcdEndpoints = list(v)
		if len(c.etcdEndpoints) == 0 {
			return errors.New("no endpoint in it")
		}
		return nil
	}},
	{"log-level", "LEVEL", "debug, info, warn or error (default info)", func(c *config, v string) error {
		switch strings.ToLower(v) {
		case "debug", "info", "warn", "error":
			return c.logLevel.UnmarshalText([]byte(v))
		}
		return errors.New("not one of debug, info, warn, error")
	}},
	{"data-unsigned", "", "take unsigned integers (1u), which InfluxDB 1.8 refuses", func(c *config, v string) (err error) {
		c.unsigned, err = parseSwitch(v)
		return err
	}},
	{"memory-limit", "SIZE", "memory to stay within, as 512m or 4g (default: four fifths of the machine's, or GOMEMLIMIT)", func(c *config, v string) (err error) {
		c.memoryLimit, err = parseSize(v)
		return err
	}},
}

func findSetting(name string) *setting {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &settings[i]
}

// envPrefix begins the names of our variables in the environment.
const envPrefix = "VARVE_"

// env gives the name of the setting's variable in the environment.
func (s *setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

func notEmpty(v string) error {
	if v == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func parseSwitch(v string) (bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, errors.New("not true or false")
	}
	return b, nil
}

// list splits at commas.
func list(v string) []string {
	var out []string
	for _, e := range strings.Split(v, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

func parseRoles(v string) ([]meta.Role, error) {
	var roles []meta.Role
	for _, name := range list(v) {
		r := meta.Role(name)
		switch r {
		case meta.RoleMeta, meta.RoleData, meta.RoleCoordinator:
		default:
			return nil, fmt.Errorf("%q is not one of meta, data, coordinator", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	if len(roles) == 0 {
		return nil, errors.New("no role in it")
	}
	return roles, nil
}

// parseSize reads a number of bytes, with k, m or g for powers of 1024.
func parseSize(v string) (int64, error) {
	digits, shift := v, 0
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 'k', 'K':
			digits, shift = v[:n-1], 10
		case 'm', 'M':
			digits, shift = v[:n-1], 20
		case 'g', 'G':
			digits, shift = v[:n-1], 30
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<(62-shift) {
		return 0, errors.New("not a size such as 512m or 4g")
	}
	return n << shift, nil
}

// check reports settings that do not fit together.
func (c *config) check() error {
	has := func(r meta.Role) bool { return slices.Contains(c.roles, r) }
	switch {
	case !has(meta.RoleData), !has(meta.RoleCoordinator):
		return fmt.Errorf("roles %s: a server without the roles data and coordinator is not supported yet", joinRoles(c.roles))
	case !has(meta.RoleMeta) && len(c.etcdEndpoints) == 0:
		return fmt.Errorf("roles %s: without the role meta etcd-endpoints must be set", joinRoles(c.roles))
	case c.memoryLimit != 0 && c.memoryLimit < minMemory:
		return fmt.Errorf("memory-limit: %d bytes: at least 128m are needed", c.memoryLimit)
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
