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
	name     string
	value    string // what --help calls the value; "" for a switch; isSecret for what nobody may see
	fallback string // what it is where nothing is said; "" where usage says it, or it is off
	usage    string
	set      func(c *Config, v string) error
}

// isSecret marks what is never printed, and may be in a file of its own: the
// setting NAME has a second one, NAME-file.
const isSecret = "SECRET"

// settings is the rows, and the files of those that are secret.
var settings = withFiles(slices.Concat(rows, limits))

func withFiles(rows []setting) (all []setting) {
	for _, s := range rows {
		all = append(all, s)
		if s.value != isSecret {
			continue
		}
		name := s.name + fileSuffix
		all = append(all, setting{name, "FILE", "", "a file with " + s.name, func(c *Config, v string) error {
			text, err := readSecret(v)
			if err != nil {
				return err
			}
			return s.set(c, text)
		}})
	}
	return all
}

const fileSuffix = "-file"

var rows = []setting{
	{"data-dir", "DIR", "./varve-data", "everything the server keeps", func(c *Config, v string) error {
		c.DataDir = v
		return notEmpty(v)
	}},
	{"http-bind-address", "HOST:PORT", "127.0.0.1:8086", "where it answers on HTTP", func(c *Config, v string) (err error) {
		c.HTTPAddress, err = parseAddress(v)
		return err
	}},
	{"http-auth-enabled", "BOOL", "false", "ask on HTTP who sends a request, and what he may", func(c *Config, v string) (err error) {
		c.AuthEnabled, err = parseSwitch(v)
		return err
	}},
	{"http-shared-secret", isSecret, "", "what JSON web tokens of users are signed with, at least 32 bytes (default: none are taken)", func(c *Config, v string) error {
		c.Auth.SharedSecret = v
		return c.Auth.Validate()
	}},
	{"http-realm", "TEXT", "InfluxDB", "what clients without credentials are told that they are for", func(c *Config, v string) error {
		c.Realm = v
		return notEmpty(v)
	}},
	{"http-ping-auth-enabled", "BOOL", "false", "ask for credentials on /ping, /status and /health, too", func(c *Config, v string) (err error) {
		c.PingAuth, err = parseSwitch(v)
		return err
	}},
	{"http-pprof-auth-enabled", "BOOL", "true", "keep /metrics and /debug for administrators, where authentication is on", func(c *Config, v string) (err error) {
		c.DebugOpen, err = parseOff(v)
		return err
	}},
	{"http-pprof-enabled", "BOOL", "true", "answer below /debug/pprof", func(c *Config, v string) (err error) {
		c.ProfilesOff, err = parseOff(v)
		return err
	}},
	{"http-cors-allowed-origins", "LIST", "", "origins, as https://host:port, whose pages may change something, beside this server's own; * is all (default none)", func(c *Config, v string) (err error) {
		c.AllowedOrigins, err = parseOrigins(v)
		return err
	}},
	{"audit-log", "FILE", "", "where log-ins that failed, changes and what administrators read are recorded, or none (default: audit/audit.log in data-dir where http-auth-enabled, else none)", func(c *Config, v string) error {
		c.AuditLog = v
		return notEmpty(v)
	}},
	{"audit-log-max-bytes", "SIZE", "32m", "when the audit log begins a new file; four older ones are kept", func(c *Config, v string) (err error) {
		if c.Audit.MaxBytes, err = parseSize(v); err == nil {
			err = c.Audit.Validate()
		}
		return err
	}},
	{"allow-unauthenticated", "", "", "serve an address that is not loopback though everyone may read, write and drop", func(c *Config, v string) (err error) {
		c.AllowUnauthenticated, err = parseSwitch(v)
		return err
	}},
	{"node-name", "NAME", "", "the name of this node in the cluster (default: the host's name)", func(c *Config, v string) error {
		c.NodeName = v
		return notEmpty(v)
	}},
	{"roles", "LIST", "meta,data,coordinator", "what this node does", func(c *Config, v string) (err error) {
		c.Roles, err = parseRoles(v)
		return err
	}},

	// TLS: one section for HTTP, for the other nodes and for etcd.
	{"tls-certificate", "FILE", "", "a certificate of your own, read again when it changes: of this node for the others, and of HTTP with http-https-enabled", func(c *Config, v string) error {
		c.TLS.Certificate = v
		return notEmpty(v)
	}},
	{"tls-key", "FILE", "", "the key of tls-certificate", func(c *Config, v string) error {
		c.TLS.Key = v
		return notEmpty(v)
	}},
	{"tls-ca", "FILE", "", "the authority whose certificates are those of nodes", func(c *Config, v string) error {
		c.TLS.Authority = v
		return notEmpty(v)
	}},
	{"tls-min-version", "VERSION", "tls1.2", "the oldest version for clients, tls1.2 or tls1.3; nodes speak tls1.3", func(c *Config, v string) (err error) {
		c.HTTPS.Serving.MinVersion, err = parseTLSVersion(v)
		return err
	}},
	{"tls-max-version", "VERSION", "", "the newest version for clients (default: the newest there is)", func(c *Config, v string) (err error) {
		c.HTTPS.Serving.MaxVersion, err = parseTLSVersion(v)
		return err
	}},
	{"tls-ciphers", "LIST", "", "cipher suites of TLS 1.2, as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (default: all that are not broken)", func(c *Config, v string) (err error) {
		c.HTTPS.Serving.Ciphers, err = parseCiphers(v)
		return err
	}},
	{"http-https-enabled", "", "", "answer on HTTPS in place of HTTP", func(c *Config, v string) (err error) {
		c.HTTPS.Enabled, err = parseSwitch(v)
		return err
	}},
	{"http-https-certificate", "FILE", "", "the certificate of HTTPS, read again when it changes (default: tls-certificate)", func(c *Config, v string) error {
		c.HTTPS.Files.Certificate = v
		return nil
	}},
	{"http-https-private-key", "FILE", "", "the key of http-https-certificate (default: it is in the same file)", func(c *Config, v string) error {
		c.HTTPS.Files.Key = v
		return nil
	}},
	{"http-https-client-ca", "FILE", "", "clients must show a certificate of this authority (default: they need none)", func(c *Config, v string) error {
		c.HTTPS.Files.Authority = v
		return nil
	}},
	{"http-unix-socket-enabled", "", "", "answer on a Unix socket, too", func(c *Config, v string) (err error) {
		c.Socket.Enabled, err = parseSwitch(v)
		return err
	}},
	{"http-bind-socket", "FILE", "/var/run/influxdb.sock", "the Unix socket", func(c *Config, v string) error {
		c.Socket.Path = v
		return notEmpty(v)
	}},
	{"http-unix-socket-permissions", "MODE", "0777", "who may use the Unix socket", func(c *Config, v string) (err error) {
		c.Socket.Mode, err = parseMode(v)
		return err
	}},
	{"http-unix-socket-group", "GROUP", "", "the group of the Unix socket, a name or a number (default: the server's)", func(c *Config, v string) error {
		c.Socket.Group = v
		return nil
	}},

	// The cluster.
	{"rpc-bind-address", "HOST:PORT", "", "where other nodes reach it (default: nowhere, it stays alone)", func(c *Config, v string) (err error) {
		c.RPC.Listen, err = parseAddress(v)
		return err
	}},
	{"meta-client-address", "HOST:PORT", "", "where its etcd serves clients (default: the rpc host, port 2379)", func(c *Config, v string) (err error) {
		c.MetaClient.Listen, err = parseAddress(v)
		return err
	}},
	{"meta-peer-address", "HOST:PORT", "", "where its etcd meets the others (default: the rpc host, port 2380)", func(c *Config, v string) (err error) {
		c.MetaPeer.Listen, err = parseAddress(v)
		return err
	}},
	{"http-advertise-address", "HOST:PORT", "", "http-bind-address as others reach it", func(c *Config, v string) (err error) {
		c.HTTPAdvertise, err = parseAddress(v)
		return err
	}},
	{"rpc-advertise-address", "HOST:PORT", "", "rpc-bind-address as others reach it", func(c *Config, v string) (err error) {
		c.RPC.Advertise, err = parseAddress(v)
		return err
	}},
	{"meta-client-advertise-address", "HOST:PORT", "", "meta-client-address as others reach it", func(c *Config, v string) (err error) {
		c.MetaClient.Advertise, err = parseAddress(v)
		return err
	}},
	{"meta-peer-advertise-address", "HOST:PORT", "", "meta-peer-address as others reach it", func(c *Config, v string) (err error) {
		c.MetaPeer.Advertise, err = parseAddress(v)
		return err
	}},
	{"join", "LIST", "", "rpc addresses of members of the cluster to join, at the first start", func(c *Config, v string) (err error) {
		c.Join, err = parseAddresses(v)
		return err
	}},
	{"join-token", isSecret, "", "what lets this node in: from varve ctl join-token, or a secret that all nodes are given", func(c *Config, v string) error {
		c.JoinToken = v
		return notEmpty(v)
	}},
	{"zone", "NAME", "", "what this node may be lost together with; replicas are spread over zones", func(c *Config, v string) error {
		c.Labels = map[string]string{meta.LabelZone: v}
		return notEmpty(v)
	}},
	{"consistency", "LEVEL", "one", "for a write that asks for none: any, one, quorum or all", func(c *Config, v string) (err error) {
		c.Consistency, err = parseLevel(v)
		return err
	}},
	{"default-replication", "N", "3", "copies kept by retention policies made without REPLICATION", func(c *Config, v string) (err error) {
		if c.Replication, err = strconv.Atoi(v); err != nil || c.Replication < 1 {
			return errors.New("not a number of copies")
		}
		return nil
	}},
	{"replace-after", "TIME", "30m", "how long a node may be absent before others get its shards", func(c *Config, v string) (err error) {
		c.ReplaceAfter, err = parseTime(v)
		return err
	}},
	{"catchup-max-bytes", "SIZE", "10g", "log kept per shard for an owner that is away", func(c *Config, v string) (err error) {
		if c.CatchupBytes, err = parseSize(v); err == nil && c.CatchupBytes == 0 {
			err = errors.New("must not be 0")
		}
		return err
	}},
	{"catchup-max-age", "TIME", "7d", "how long log is kept for an owner that is away", func(c *Config, v string) (err error) {
		c.CatchupAge, err = parseTime(v)
		return err
	}},

	// What the cluster does by itself.
	{"continuous-queries-enabled", "BOOL", "true", "take part in running continuous queries", func(c *Config, v string) (err error) {
		c.ContinuousOff, err = parseOff(v)
		return err
	}},
	{"continuous-queries-run-interval", "TIME", "1s", "how often it looks for continuous queries that are due", func(c *Config, v string) (err error) {
		c.Continuous.RunInterval, err = parseTime(v)
		return err
	}},
	{"continuous-queries-log-enabled", "BOOL", "true", "log every run of a continuous query", func(c *Config, v string) (err error) {
		c.Continuous.LogEnabled, err = parseSwitch(v)
		return err
	}},
	{"subscriber-enabled", "BOOL", "true", "send copies of writes to subscriptions", func(c *Config, v string) (err error) {
		c.SubscriberOff, err = parseOff(v)
		return err
	}},
	{"subscriber-allow", "LIST", "", "private addresses that subscriptions may send to: networks as 10.0.0.0/8, or loopback, private, link-local (default none)", func(c *Config, v string) (err error) {
		c.Subscriber.Allow, err = parseNetworks(v)
		return err
	}},
	{"subscriber-http-timeout", "TIME", "30s", "how long a subscription's destination may take to answer", func(c *Config, v string) (err error) {
		c.Subscriber.HTTPTimeout, err = parseTime(v)
		return err
	}},
	{"subscriber-insecure-skip-verify", "", "", "do not check the certificates of https destinations", func(c *Config, v string) (err error) {
		c.Subscriber.InsecureSkipVerify, err = parseSwitch(v)
		return err
	}},
	{"subscriber-ca-certs", "FILE", "", "the authorities of https destinations (default: the system's)", func(c *Config, v string) error {
		c.Subscriber.CACerts = v
		return nil
	}},
	{"subscriber-total-buffer-bytes", "SIZE", "128m", "memory for what waits to be sent to subscriptions", func(c *Config, v string) (err error) {
		c.Subscriber.TotalBufferBytes, err = parseSize(v)
		if err == nil {
			err = c.Subscriber.Validate()
		}
		return err
	}},

	// An etcd of one's own.
	{"etcd-endpoints", "LIST", "", "an etcd of your own in place of the embedded one, as http://host:2379,…", func(c *Config, v string) error {
		c.Etcd.Endpoints = list(v)
		if len(c.Etcd.Endpoints) == 0 {
			return errors.New("no endpoint in it")
		}
		return nil
	}},
	{"etcd-tls-certificate", "FILE", "", "the certificate that etcd-endpoints ask for", func(c *Config, v string) error {
		c.Etcd.TLS.CertFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-key", "FILE", "", "the key of etcd-tls-certificate", func(c *Config, v string) error {
		c.Etcd.TLS.KeyFile = v
		return notEmpty(v)
	}},
	{"etcd-tls-ca", "FILE", "", "the authority of etcd-endpoints", func(c *Config, v string) error {
		c.Etcd.TLS.CAFile = v
		return notEmpty(v)
	}},
	{"etcd-user", "NAME", "", "the user of etcd-endpoints", func(c *Config, v string) error {
		c.Etcd.User = v
		return notEmpty(v)
	}},
	{"etcd-password", isSecret, "", "the password of etcd-user", func(c *Config, v string) error {
		c.Etcd.Password = v
		return notEmpty(v)
	}},

	// What a new cluster begins with, named as the variables of InfluxDB's image.
	{"db", "NAME", "", "a database to make at the first start", func(c *Config, v string) error {
		c.FirstStart.Database = v
		return nil
	}},
	{"admin-user", "NAME", "", "an administrator to make at the first start", func(c *Config, v string) error {
		c.FirstStart.Admin.Name = v
		return nil
	}},
	{"admin-password", isSecret, "", "the password of admin-user", func(c *Config, v string) error {
		c.FirstStart.Admin.Password = v
		return nil
	}},
	{"user", "NAME", "", "a user to make at the first start, who may read and write db", func(c *Config, v string) error {
		c.FirstStart.User.Name = v
		return nil
	}},
	{"user-password", isSecret, "", "the password of user", func(c *Config, v string) error {
		c.FirstStart.User.Password = v
		return nil
	}},
	{"read-user", "NAME", "", "a user to make at the first start, who may read db", func(c *Config, v string) error {
		c.FirstStart.Reader.Name = v
		return nil
	}},
	{"read-user-password", isSecret, "", "the password of read-user", func(c *Config, v string) error {
		c.FirstStart.Reader.Password = v
		return nil
	}},
	{"write-user", "NAME", "", "a user to make at the first start, who may write db", func(c *Config, v string) error {
		c.FirstStart.Writer.Name = v
		return nil
	}},
	{"write-user-password", isSecret, "", "the password of write-user", func(c *Config, v string) error {
		c.FirstStart.Writer.Password = v
		return nil
	}},

	{"log-level", "LEVEL", "info", "debug, info, warn or error", func(c *Config, v string) error {
		switch strings.ToLower(v) {
		case "debug", "info", "warn", "error":
			return c.LogLevel.UnmarshalText([]byte(v))
		}
		return errors.New("not one of debug, info, warn, error")
	}},
	{"http-log-enabled", "", "", "write a line for each HTTP request, to http-access-log-path or where the log goes", func(c *Config, v string) (err error) {
		c.AccessLog.Enabled, err = parseSwitch(v)
		return err
	}},
	{"http-access-log-path", "FILE", "", "the file for http-log-enabled", func(c *Config, v string) error {
		c.AccessLog.Path = v
		return nil
	}},
	{"http-access-log-status-filters", "LIST", "", "the statuses that http-log-enabled is for, as 404, 40x or 5xx (default all)", func(c *Config, v string) error {
		c.AccessLog.Statuses = list(v)
		return nil
	}},
	{"http-suppress-write-log", "", "", "leave writes out of the access log", func(c *Config, v string) (err error) {
		c.AccessLog.SuppressWrites, err = parseSwitch(v)
		return err
	}},
	{"monitor-store-enabled", "", "", "write this node's statistics to a database, as InfluxDB does", func(c *Config, v string) (err error) {
		c.Monitor.StoreEnabled, err = parseSwitch(v)
		return err
	}},
	{"monitor-store-database", "NAME", "_internal", "the database for monitor-store-enabled", func(c *Config, v string) error {
		c.Monitor.StoreDatabase = v
		return notEmpty(v)
	}},
	{"monitor-store-interval", "TIME", "10s", "how often statistics are written", func(c *Config, v string) (err error) {
		c.Monitor.StoreInterval, err = parseTime(v)
		return err
	}},
	{"tracing-endpoint", "URL", "", "an OpenTelemetry collector (OTLP over gRPC) for traces of writes and queries, as http://host:4317 (default none)", func(c *Config, v string) error {
		c.Tracing.Endpoint = v
		return nil
	}},
	{"tracing-ratio", "N", "1", "the part of the requests that is traced, from 0 to 1", func(c *Config, v string) (err error) {
		c.Tracing.Ratio, err = parseRatio(v)
		return err
	}},
	{"data-unsigned", "", "", "take unsigned integers (1u), which InfluxDB 1.8 refuses", func(c *Config, v string) (err error) {
		c.Unsigned, err = parseSwitch(v)
		return err
	}},
	{"extensions", "", "", "answer every query as with the parameter extensions=true: more than InfluxDB says", func(c *Config, v string) (err error) {
		c.Extensions, err = parseSwitch(v)
		return err
	}},
	{"memory-limit", "SIZE", "", "memory to stay within, as 512m or 4g (default: three fifths of the machine's, or GOMEMLIMIT)", func(c *Config, v string) (err error) {
		c.MemoryLimit, err = parseSize(v)
		return err
	}},
	{"max-series-per-database", "N", "1000000", "series that a database may have in one shard group, unless varve ctl limit says otherwise; 0 is no limit", func(c *Config, v string) (err error) {
		c.Limits.Series, err = parseCount(v)
		return err
	}},
	{"max-values-per-tag", "N", "100000", "values that one tag of one measurement may have in one shard, unless varve ctl limit says otherwise; 0 is no limit", func(c *Config, v string) (err error) {
		c.Limits.ValuesPerTag, err = parseCount(v)
		return err
	}},
	{"max-concurrent-queries", "N", "", "requests for results that run at a time (default: twice the cores)", func(c *Config, v string) (err error) {
		if c.Queries.Concurrent, err = strconv.Atoi(v); err != nil || c.Queries.Concurrent < 1 {
			return errors.New("not a number from 1 on")
		}
		return nil
	}},
	{"max-queued-queries", "N", "64", "requests that may wait for those to end; the next is answered by 503", func(c *Config, v string) error {
		return setCount(&c.Queries.Queue, v)
	}},
	{"query-timeout", "TIME", "5m", "how long a request may wait and run without handing out a row; 0 is for ever", func(c *Config, v string) (err error) {
		c.Queries.Timeout, err = parseTimeOrNone(v)
		return err
	}},
	{"data-query-log-enabled", "", "", "log every statement that is run, with what it took", func(c *Config, v string) (err error) {
		c.Queries.Log, err = parseSwitch(v)
		return err
	}},
	{"log-queries-after", "TIME", "0", "log requests that run for so long; 0 is none", func(c *Config, v string) (err error) {
		c.Queries.LogAfter, err = parseTimeOrNone(v)
		return err
	}},
	{"max-select-series", "N", "2000000", "series that a SELECT may read of one shard; 0 is no limit", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxSeries, v)
	}},
	{"max-select-point", "N", "0", "points that a SELECT may read of one shard; 0 is no limit", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxPoints, v)
	}},
	{"max-select-buckets", "N", "20000000", "windows of time that a SELECT may have; 0 is no limit", func(c *Config, v string) error {
		return setCount(&c.Queries.MaxBuckets, v)
	}},
	{"max-select-memory", "SIZE", "", "memory that a statement may hold (default 256m, at most half of what all may)", func(c *Config, v string) error {
		n, err := parseSize(v)
		if err == nil && n == 0 {
			err = errors.New("must not be 0")
		}
		c.Queries.MaxBytes = int(n)
		return err
	}},
	{"max-row-limit", "N", "0", "rows of an answer that is not chunked; the rest is cut off, which partial:true tells; 0 is no limit", func(c *Config, v string) error {
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
