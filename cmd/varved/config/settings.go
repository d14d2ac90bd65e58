package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/varvedb/varve/meta"
)

// setting is one thing that can be told. Its name is the flag's; in a file the
// part before a dash may be a table.
type setting struct {
	name  string
	value string // what --help calls the value; "" for a switch
	usage string
	set   func(c *Config, v string) error
}

var settings = []setting{
	{"data-dir", "DIR", "everything the server keeps (default ./varve-data)", func(c *Config, v string) error {
		c.DataDir = v
		return notEmpty(v)
	}},
	{"http-bind-address", "HOST:PORT", "where it answers on HTTP (default 127.0.0.1:8086)", func(c *Config, v string) (err error) {
		c.HTTPAddress, err = parseAddress(v)
		return err
	}},
	{"allow-unauthenticated", "", "serve an address that is not loopback though everyone may read, write and drop", func(c *Config, v string) (err error) {
		c.AllowUnauthenticated, err = parseSwitch(v)
		return err
	}},
	{"node-name", "NAME", "the name of this node in the cluster (default: the host's name)", func(c *Config, v string) error {
		c.NodeName = v
		return notEmpty(v)
	}},
	{"roles", "LIST", "what this node does (default meta,data,coordinator)", func(c *Config, v string) (err error) {
		c.Roles, err = parseRoles(v)
		return err
	}},

	// The cluster.
	{"rpc-bind-address", "HOST:PORT", "where other nodes reach it (default: nowhere, it stays alone)", func(c *Config, v string) (err error) {
		c.RPC.Listen, err = parseAddress(v)
		return err
	}},
	{"meta-client-address", "HOST:PORT", "where its etcd serves clients (default: the rpc host, port 2379)", func(c *Config, v string) (err error) {
		c.MetaClient.Listen, err = parseAddress(v)
		return err
	}},
	{"meta-peer-address", "HOST:PORT", "where its etcd meets the others (default: the rpc host, port 2380)", func(c *Config, v string) (err error) {
		c.MetaPeer.Listen, err = parseAddress(v)
		return err
	}},
	{"http-advertise-address", "HOST:PORT", "http-bind-address as others reach it", func(c *Config, v string) (err error) {
		c.HTTPAdvertise, err = parseAddress(v)
		return err
	}},
	{"rpc-advertise-address", "HOST:PORT", "rpc-bind-address as others reach it", func(c *Config, v string) (err error) {
		c.RPC.Advertise, err = parseAddress(v)
		return err
	}},
	{"meta-client-advertise-address", "HOST:PORT", "meta-client-address as others reach it", func(c *Config, v string) (err error) {
		c.MetaClient.Advertise, err = parseAddress(v)
		return err
	}},
	{"meta-peer-advertise-address", "HOST:PORT", "meta-peer-address as others reach it", func(c *Config, v string) (err error) {
		c.MetaPeer.Advertise, err = parseAddress(v)
		return err
	}},
	{"join", "LIST", "rpc addresses of members of the cluster to join, at the first start", func(c *Config, v string) (err error) {
		c.Join, err = parseAddresses(v)
		return err
	}},
	{"join-token", "TOKEN", "what lets this node in: from varve ctl join-token, or a secret that all nodes are given", func(c *Config, v string) error {
		c.JoinToken = v
		return notEmpty(v)
	}},
	{"join-token-file", "FILE", "a file with the join-token", func(c *Config, v string) error {
		c.JoinTokenFile = v
		return notEmpty(v)
	}},
	{"tls-certificate", "FILE", "a certificate of your own for this node, read again when it changes", func(c *Config, v string) error {
		c.TLS.Certificate = v
		return notEmpty(v)
	}},
	{"tls-key", "FILE", "the key of tls-certificate", func(c *Config, v string) error {
		c.TLS.Key = v
		return notEmpty(v)
	}},
	{"tls-ca", "FILE", "the authority whose certificates are those of nodes", func(c *Config, v string) error {
		c.TLS.Authority = v
		return notEmpty(v)
	}},
	{"zone", "NAME", "what this node may be lost together with; replicas are spread over zones", func(c *Config, v string) error {
		c.Labels = map[string]string{meta.LabelZone: v}
		return notEmpty(v)
	}},
	{"consistency", "LEVEL", "for a write that asks for none: any, one, quorum or all (default one)", func(c *Config, v string) (err error) {
		c.Consistency, err = parseLevel(v)
		return err
	}},
	{"default-replication", "N", "copies kept by retention policies made without REPLICATION (default 3)", func(c *Config, v string) (err error) {
		if c.Replication, err = strconv.Atoi(v); err != nil || c.Replication < 1 {
			return errors.New("not a number of copies")
		}
		return nil
	}},
	{"replace-after", "TIME", "how long a node may be absent before others get its shards (default 30m)", func(c *Config, v string) (err error) {
		c.ReplaceAfter, err = parseTime(v)
		return err
	}},
	{"catchup-max-bytes", "SIZE", "log kept per shard for an owner that is away (default 10g)", func(c *Config, v string) (err error) {
		if c.CatchupBytes, err = parseSize(v); err == nil && c.CatchupBytes == 0 {
			err = errors.New("must not be 0")
		}
		return err
	}},
	{"catchup-max-age", "TIME", "how long log is kept for an owner that is away (default 7d)", func(c *Config, v string) (err error) {
		c.CatchupAge, err = parseTime(v)
		return err
	}},

	// What the cluster does by itself.
	{"continuous-queries-enabled", "BOOL", "take part in running continuous queries (default true)", func(c *Config, v string) (err error) {
		c.ContinuousOff, err = parseOff(v)
		return err
	}},
	{"continuous-queries-run-interval", "TIME", "how often it looks for continuous queries that are due (default 1s)", func(c *Config, v string) (err error) {
		c.Continuous.RunInterval, err = parseTime(v)
		return err
	}},
	{"continuous-queries-log-enabled", "BOOL", "log every run of a continuous query (default true)", func(c *Config, v string) (err error) {
		c.Continuous.LogEnabled, err = parseSwitch(v)
		return err
	}},
	{"subscriber-enabled", "BOOL", "send copies of writes to subscriptions (default true)", func(c *Config, v string) (err error) {
		c.SubscriberOff, err = parseOff(v)
		return err
	}},
	{"subscriber-allow", "LIST", "private addresses that subscriptions may send to: networks as 10.0.0.0/8, or loopback, private, link-local (default none)", func(c *Config, v string) (err error) {
		c.Subscriber.Allow, err = parseNetworks(v)
		return err
	}},
	{"subscriber-http-timeout", "TIME", "how long a subscription's destination may take to answer (default 30s)", func(c *Config, v string) (err error) {
		c.Subscriber.HTTPTimeout, err = parseTime(v)
		return err
	}},
	{"subscriber-insecure-skip-verify", "", "do not check the certificates of https destinations", func(c *Config, v string) (err error) {
		c.Subscriber.InsecureSkipVerify, err = parseSwitch(v)
		return err
	}},
	{"subscriber-ca-certs", "FILE", "the authorities of https destinations (default: the system's)", func(c *Config, v string) error {
		c.Subscriber.CACerts = v
		return nil
	}},
	{"subscriber-total-buffer-bytes", "SIZE", "memory for what waits to be sent to subscriptions (default 128m)", func(c *Config, v string) (err error) {
		c.Subscriber.TotalBufferBytes, err = parseSize(v)
		if err == nil {
			err = c.Subscriber.Validate()
		}
		return err
	}},

	// An etcd of one's own.
	{"etcd-endpoints", "LIST", "an etcd of your own in place of the embedded one, as http://host:2379,…", func(c *Config, v string) error {
		c.Etcd.Endpoints = list(v)
		if len(c.Etcd.Endpoints) == 0 {
			return errors.New("no endpoint in it")
		}
		return nil
	}},
	{"etcd-tls-certificate", "FILE", "the certificate that etcd-endpoints ask for", func(c *Config, v string) error {
		c.Etcd.TLS.CertFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-key", "FILE", "the key of etcd-tls-certificate", func(c *Config, v string) error {
		c.Etcd.TLS.KeyFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-ca", "FILE", "the authority of etcd-endpoints", func(c *Config, v string) error {
		c.Etcd.TLS.CAFile = v
		return notEmpty(v)
	}},
	{"etcd-user", "NAME", "the user of etcd-endpoints", func(c *Config, v string) error {
		c.Etcd.User = v
		return notEmpty(v)
	}},
	{"etcd-password-file", "FILE", "a file with the password of etcd-user", func(c *Config, v string) error {
		c.EtcdPasswordFile = v
		return notEmpty(v)
	}},

	{"log-level", "LEVEL", "debug, info, warn or error (default info)", func(c *Config, v string) error {
		switch strings.ToLower(v) {
		case "debug", "info", "warn", "error":
			return c.LogLevel.UnmarshalText([]byte(v))
		}
		return errors.New("not one of debug, info, warn, error")
	}},
	{"data-unsigned", "", "take unsigned integers (1u), which InfluxDB 1.8 refuses", func(c *Config, v string) (err error) {
		c.Unsigned, err = parseSwitch(v)
		return err
	}},
	{"extensions", "", "answer every query as with the parameter extensions=true: more than InfluxDB says", func(c *Config, v string) (err error) {
		c.Extensions, err = parseSwitch(v)
		return err
	}},
	{"memory-limit", "SIZE", "memory to stay within, as 512m or 4g (default: three fifths of the machine's, or GOMEMLIMIT)", func(c *Config, v string) (err error) {
		c.MemoryLimit, err = parseSize(v)
		return err
	}},
	{"max-series-per-database", "N", "series that a database may have in one shard group, unless varve ctl limit says otherwise; 0 is no limit (default 1000000)", func(c *Config, v string) (err error) {
		c.Limits.Series, err = parseCount(v)
		return err
	}},
	{"max-values-per-tag", "N", "values that one tag of one measurement may have in one shard, unless varve ctl limit says otherwise; 0 is no limit (default 100000)", func(c *Config, v string) (err error) {
		c.Limits.ValuesPerTag, err = parseCount(v)
		return err
	}},
	{"max-concurrent-queries", "N", "requests for results that run at a time (default: twice the cores)", func(c *Config, v string) (err error) {
		if c.Queries.Concurrent, err = strconv.Atoi(v); err != nil || c.Queries.Concurrent < 1 {
			return errors.New("not a number from 1 on")
		}
		return nil
	}},
	{"max-queued-queries", "N", "requests that may wait for those to end; the next is answered by 503 (default 64)", func(c *Config, v string) error {
		return setCount(&c.Queries.Queue, v)
	}},
	{"query-timeout", "TIME", "how long a request may wait and run without handing out a row; 0 is for ever (default 5m)", func(c *Config, v string) (err error) {
		c.Queries.Timeout, err = parseTimeOrNone(v)
		return err
	}},
	{"log-queries-after", "TIME", "log requests that run for so long; 0 is none (default 0)", func(c *Config, v string) (err error) {
		c.Queries.LogAfter, err = parseTimeOrNone(v)
		return err
	}},
	{"max-select-series", "N", "series that a SELECT may read of one shard; 0 is no limit (default 2000000)", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxSeries, v)
	}},
	{"max-select-point", "N", "points that a SELECT may read of one shard; 0 is no limit (default 0)", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxPoints, v)
	}},
	{"max-select-buckets", "N", "windows of time that a SELECT may have; 0 is no limit (default 20000000)", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxBuckets, v)
	}},
	{"max-select-memory", "SIZE", "memory that a statement may hold (default 256m, at most half of what all may)", func(c *Config, v string) error {
		n, err := parseSize(v)
		if err == nil && n == 0 {
			err = errors.New("must not be 0")
		}
		c.Queries.MaxBytes = int(n)
		return err
	}},
	{"max-row-limit", "N", "rows of an answer that is not chunked; the rest is cut off, which partial:true tells; 0 is no limit (default 0)", func(c *Config, v string) error {
		return setCount(&c.MaxRowLimit, v)
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
