package config

import (
	"slices"
	"strings"
)

// influxKey is a key of InfluxDB 1.x that is not a setting under its own name,
// or is not in a file that was made for InfluxDB.
type influxKey struct {
	key     string // with its table, as coordinator.query-timeout
	setting string // that does the same here; "" for none
	unless  string // a value of InfluxDB's that is not taken over
	why     string // it has no effect, or that value has none
}

// Reasons that several keys share.
const (
	unbounded   = "0 is InfluxDB's default, no limit; Varve's own default stays, and 0 under Varve's name is no limit"
	byItself    = "Varve does this by itself"
	otherEngine = "it is about InfluxDB's storage engine"
	alwaysOn    = "Varve always does this"
)

var influxKeys = []influxKey{
	{key: "reporting-disabled", why: "Varve sends no reports"},
	{key: "bind-address", why: "backup and restore need no port of their own; nodes meet at rpc-bind-address"},

	{key: "meta.dir", why: "the metadata is in data-dir"},
	{key: "meta.retention-autocreate", why: "CREATE DATABASE always makes autogen"},
	{key: "meta.logging-enabled", why: "log-level says what is logged"},

	// Only in files that are imported: data.dir is data-dir.
	{key: "data.dir", why: "that directory is InfluxDB's; Varve keeps its data in one of its own, data-dir"},
	{key: "data.wal-dir", why: "the log is in data-dir, beside the shard it belongs to"},
	{key: "data.wal-fsync-delay", why: "writes share syncs by themselves, and none is answered before its own"},
	{key: "data.index-version", why: "there is one index, on disk"},
	{key: "data.trace-logging-enabled", why: otherEngine},
	{key: "data.strict-error-handling", why: otherEngine},
	{key: "data.validate-keys", why: "keys that are not UTF-8 are taken as InfluxDB takes them by default"},
	{key: "data.cache-max-memory-size", why: "memory-limit bounds all memory"},
	{key: "data.cache-snapshot-memory-size", why: "memory-limit bounds all memory"},
	{key: "data.cache-snapshot-write-cold-duration", why: byItself},
	{key: "data.compact-full-write-cold-duration", why: byItself},
	{key: "data.max-concurrent-compactions", why: byItself},
	{key: "data.compact-throughput", why: byItself},
	{key: "data.compact-throughput-burst", why: byItself},
	{key: "data.tsm-use-madv-willneed", why: otherEngine},
	{key: "data.max-series-per-database", setting: "max-series-per-database"},
	{key: "data.max-values-per-tag", setting: "max-values-per-tag"},
	{key: "data.max-index-log-file-size", why: otherEngine},
	{key: "data.series-id-set-cache-size", why: otherEngine},
	{key: "data.series-file-max-concurrent-snapshot-compactions", why: otherEngine},

	{key: "coordinator.write-timeout", why: "a write waits 10 s for its owners, as in InfluxDB by default"},
	{key: "coordinator.max-concurrent-queries", setting: "max-concurrent-queries", unless: "0", why: unbounded},
	{key: "coordinator.query-timeout", setting: "query-timeout", unless: "0s", why: unbounded},
	{key: "coordinator.log-queries-after", setting: "log-queries-after"},
	{key: "coordinator.max-select-point", setting: "max-select-point"},
	{key: "coordinator.max-select-series", setting: "max-select-series", unless: "0", why: unbounded},
	{key: "coordinator.max-select-buckets", setting: "max-select-buckets", unless: "0", why: unbounded},
	{key: "coordinator.termination-query-log", why: "what is running is in SHOW QUERIES"},

	{key: "retention.enabled", why: alwaysOn},
	{key: "retention.check-interval", why: byItself},
	{key: "shard-precreation.enabled", why: alwaysOn},
	{key: "shard-precreation.check-interval", why: byItself},
	{key: "shard-precreation.advance-period", why: byItself},

	{key: "subscriber.write-concurrency", why: "each destination has a queue and a connection of its own"},
	{key: "subscriber.write-buffer-size", why: "subscriber-total-buffer-bytes bounds the memory of all"},

	{key: "http.enabled", why: "HTTP is what the server is for"},
	{key: "http.write-tracing", why: "the bodies of writes are not logged"},
	{key: "http.flux-enabled", why: "there is no Flux"},
	{key: "http.flux-log-enabled", why: "there is no Flux"},
	{key: "http.debug-pprof-enabled", why: "there is no second port for profiles"},
	{key: "http.prom-read-auth-enabled", why: "with http-auth-enabled Prometheus's reads need a user, too"},
	{key: "http.headers", why: "answers have InfluxDB's headers and no others"},
	{key: "http.max-row-limit", setting: "max-row-limit"},
	{key: "http.max-connection-limit", setting: "http-max-connection-limit", unless: "0", why: unbounded},
	{key: "http.max-concurrent-write-limit", setting: "http-max-concurrent-write-limit", unless: "0", why: unbounded},
	{key: "http.max-enqueued-write-limit", setting: "http-max-enqueued-write-limit", unless: "0", why: unbounded},

	{key: "logging.level", setting: "log-level"},
	{key: "logging.format", why: "the log is lines of key=value"},
	{key: "logging.suppress-logo", why: "there is no logo"},

	{key: "continuous_queries.query-stats-enabled", why: "varve ctl continuous and /metrics tell of the runs"},
}

func findInflux(key string) *influxKey {
	i := slices.IndexFunc(influxKeys, func(k influxKey) bool { return k.key == key })
	if i < 0 {
		return nil
	}
	return &influxKeys[i]
}

// target gives the setting that v is for, or nil where it has no effect.
func (k *influxKey) target(v string) *setting {
	if k.setting == "" || k.unless != "" && v == k.unless {
		return nil
	}
	return findSetting(k.setting)
}

// settingName gives the name that a key of a file would have as a setting.
func settingName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }
