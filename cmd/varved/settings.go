package main

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
	set   func(c *config, v string) error
}

var settings = []setting{
	{"data-dir", "DIR", "everything the server keeps (default ./varve-data)", func(c *config, v string) error {
		c.dataDir = v
		return notEmpty(v)
	}},
	{"http-bind-address", "HOST:PORT", "where it answers on HTTP (default 127.0.0.1:8086)", func(c *config, v string) (err error) {
		c.httpAddress, err = parseAddress(v)
		return err
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

	// The cluster.
	{"rpc-bind-address", "HOST:PORT", "where other nodes reach it (default: nowhere, it stays alone)", func(c *config, v string) (err error) {
		c.rpc.listen, err = parseAddress(v)
		return err
	}},
	{"meta-client-address", "HOST:PORT", "where its etcd serves clients (default: the rpc host, port 2379)", func(c *config, v string) (err error) {
		c.metaClient.listen, err = parseAddress(v)
		return err
	}},
	{"meta-peer-address", "HOST:PORT", "where its etcd meets the others (default: the rpc host, port 2380)", func(c *config, v string) (err error) {
		c.metaPeer.listen, err = parseAddress(v)
		return err
	}},
	{"http-advertise-address", "HOST:PORT", "http-bind-address as others reach it", func(c *config, v string) (err error) {
		c.httpAdvertise, err = parseAddress(v)
		return err
	}},
	{"rpc-advertise-address", "HOST:PORT", "rpc-bind-address as others reach it", func(c *config, v string) (err error) {
		c.rpc.advertise, err = parseAddress(v)
		return err
	}},
	{"meta-client-advertise-address", "HOST:PORT", "meta-client-address as others reach it", func(c *config, v string) (err error) {
		c.metaClient.advertise, err = parseAddress(v)
		return err
	}},
	{"meta-peer-advertise-address", "HOST:PORT", "meta-peer-address as others reach it", func(c *config, v string) (err error) {
		c.metaPeer.advertise, err = parseAddress(v)
		return err
	}},
	{"join", "LIST", "rpc addresses of members of the cluster to join, at the first start", func(c *config, v string) (err error) {
		c.join, err = parseAddresses(v)
		return err
	}},
	{"join-token", "TOKEN", "what lets this node in: from varve ctl join-token, or a secret that all nodes are given", func(c *config, v string) error {
		c.joinToken = v
		return notEmpty(v)
	}},
	{"join-token-file", "FILE", "a file with the join-token", func(c *config, v string) error {
		c.joinTokenFile = v
		return notEmpty(v)
	}},
	{"tls-certificate", "FILE", "a certificate of your own for this node, read again when it changes", func(c *config, v string) error {
		c.tls.Certificate = v
		return notEmpty(v)
	}},
	{"tls-key", "FILE", "the key of tls-certificate", func(c *config, v string) error {
		c.tls.Key = v
		return notEmpty(v)
	}},
	{"tls-ca", "FILE", "the authority whose certificates are those of nodes", func(c *config, v string) error {
		c.tls.Authority = v
		return notEmpty(v)
	}},
	{"zone", "NAME", "what this node may be lost together with; replicas are spread over zones", func(c *config, v string) error {
		c.labels = map[string]string{meta.LabelZone: v}
		return notEmpty(v)
	}},
	{"consistency", "LEVEL", "for a write that asks for none: any, one, quorum or all (default one)", func(c *config, v string) (err error) {
		c.consistency, err = parseLevel(v)
		return err
	}},
	{"default-replication", "N", "copies kept by retention policies made without REPLICATION (default 3)", func(c *config, v string) (err error) {
		if c.replication, err = strconv.Atoi(v); err != nil || c.replication < 1 {
			return errors.New("not a number of copies")
		}
		return nil
	}},
	{"replace-after", "TIME", "how long a node may be absent before others get its shards (default 30m)", func(c *config, v string) (err error) {
		c.replaceAfter, err = parseTime(v)
		return err
	}},
	{"catchup-max-bytes", "SIZE", "log kept per shard for an owner that is away (default 10g)", func(c *config, v string) (err error) {
		if c.catchupBytes, err = parseSize(v); err == nil && c.catchupBytes == 0 {
			err = errors.New("must not be 0")
		}
		return err
	}},
	{"catchup-max-age", "TIME", "how long log is kept for an owner that is away (default 7d)", func(c *config, v string) (err error) {
		c.catchupAge, err = parseTime(v)
		return err
	}},

	// What the cluster does by itself.
	{"continuous-queries-enabled", "BOOL", "take part in running continuous queries (default true)", func(c *config, v string) (err error) {
		c.continuousOff, err = parseOff(v)
		return err
	}},
	{"continuous-queries-run-interval", "TIME", "how often it looks for continuous queries that are due (default 1s)", func(c *config, v string) (err error) {
		c.continuous.RunInterval, err = parseTime(v)
		return err
	}},
	{"continuous-queries-log-enabled", "BOOL", "log every run of a continuous query (default true)", func(c *config, v string) (err error) {
		c.continuous.LogEnabled, err = parseSwitch(v)
		return err
	}},
	{"subscriber-enabled", "BOOL", "send copies of writes to subscriptions (default true)", func(c *config, v string) (err error) {
		c.subscriberOff, err = parseOff(v)
		return err
	}},
	{"subscriber-allow", "LIST", "private addresses that subscriptions may send to: networks as 10.0.0.0/8, or loopback, private, link-local (default none)", func(c *config, v string) (err error) {
		c.subscriber.Allow, err = parseNetworks(v)
		return err
	}},
	{"subscriber-http-timeout", "TIME", "how long a subscription's destination may take to answer (default 30s)", func(c *config, v string) (err error) {
		c.subscriber.HTTPTimeout, err = parseTime(v)
		return err
	}},
	{"subscriber-insecure-skip-verify", "", "do not check the certificates of https destinations", func(c *config, v string) (err error) {
		c.subscriber.InsecureSkipVerify, err = parseSwitch(v)
		return err
	}},
	{"subscriber-ca-certs", "FILE", "the authorities of https destinations (default: the system's)", func(c *config, v string) error {
		c.subscriber.CACerts = v
		return nil
	}},
	{"subscriber-total-buffer-bytes", "SIZE", "memory for what waits to be sent to subscriptions (default 128m)", func(c *config, v string) (err error) {
		c.subscriber.TotalBufferBytes, err = parseSize(v)
		if err == nil {
			err = c.subscriber.Validate()
		}
		return err
	}},

	// An etcd of one's own.
	{"etcd-endpoints", "LIST", "an etcd of your own in place of the embedded one, as http://host:2379,…", func(c *config, v string) error {
		c.etcd.Endpoints = list(v)
		if len(c.etcd.Endpoints) == 0 {
			return errors.New("no endpoint in it")
		}
		return nil
	}},
	{"etcd-tls-certificate", "FILE", "the certificate that etcd-endpoints ask for", func(c *config, v string) error {
		c.etcd.TLS.CertFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-key", "FILE", "the key of etcd-tls-certificate", func(c *config, v string) error {
		c.etcd.TLS.KeyFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-ca", "FILE", "the authority of etcd-endpoints", func(c *config, v string) error {
		c.etcd.TLS.CAFile = v
		return notEmpty(v)
	}},
	{"etcd-user", "NAME", "the user of etcd-endpoints", func(c *config, v string) error {
		c.etcd.User = v
		return notEmpty(v)
	}},
	{"etcd-password-file", "FILE", "a file with the password of etcd-user", func(c *config, v string) error {
		c.etcdPasswordFile = v
		return notEmpty(v)
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
	{"extensions", "", "answer every query as with the parameter extensions=true: more than InfluxDB says", func(c *config, v string) (err error) {
		c.extensions, err = parseSwitch(v)
		return err
	}},
	{"memory-limit", "SIZE", "memory to stay within, as 512m or 4g (default: three fifths of the machine's, or GOMEMLIMIT)", func(c *config, v string) (err error) {
		c.memoryLimit, err = parseSize(v)
		return err
	}},
	{"max-series-per-database", "N", "series that a database may have in one shard group, unless varve ctl limit says otherwise; 0 is no limit (default 1000000)", func(c *config, v string) (err error) {
		c.limits.Series, err = parseCount(v)
		return err
	}},
	{"max-values-per-tag", "N", "values that one tag of one measurement may have in one shard, unless varve ctl limit says otherwise; 0 is no limit (default 100000)", func(c *config, v string) (err error) {
		c.limits.ValuesPerTag, err = parseCount(v)
		return err
	}},
	{"max-concurrent-queries", "N", "requests for results that run at a time (default: twice the cores)", func(c *config, v string) (err error) {
		if c.queries.Concurrent, err = strconv.Atoi(v); err != nil || c.queries.Concurrent < 1 {
			return errors.New("not a number from 1 on")
		}
		return nil
	}},
	{"max-queued-queries", "N", "requests that may wait for those to end; the next is answered by 503 (default 64)", func(c *config, v string) error {
		return setCount(&c.queries.Queue, v)
	}},
	{"query-timeout", "TIME", "how long a request may wait and run without handing out a row; 0 is for ever (default 5m)", func(c *config, v string) (err error) {
		c.queries.Timeout, err = parseTimeOrNone(v)
		return err
	}},
	{"log-queries-after", "TIME", "log requests that run for so long; 0 is none (default 0)", func(c *config, v string) (err error) {
		c.queries.LogAfter, err = parseTimeOrNone(v)
		return err
	}},
	{"max-select-series", "N", "series that a SELECT may read of one shard; 0 is no limit (default 2000000)", func(c *config, v string) error {
		return setCount(&c.queries.MaxSeries, v)
	}},
	{"max-select-point", "N", "points that a SELECT may read of one shard; 0 is no limit (default 0)", func(c *config, v string) error {
		return setCount(&c.queries.MaxPoints, v)
	}},
	{"max-select-buckets", "N", "windows of time that a SELECT may have; 0 is no limit (default 20000000)", func(c *config, v string) error {
		return setCount(&c.queries.MaxBuckets, v)
	}},
	{"max-select-memory", "SIZE", "memory that a statement may hold (default 256m, at most half of what all may)", func(c *config, v string) error {
		n, err := parseSize(v)
		if err == nil && n == 0 {
			err = errors.New("must not be 0")
		}
		c.queries.MaxBytes = int(n)
		return err
	}},
	{"max-row-limit", "N", "rows of an answer that is not chunked; the rest is cut off, which partial:true tells; 0 is no limit (default 0)", func(c *config, v string) error {
		return setCount(&c.maxRowLimit, v)
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
