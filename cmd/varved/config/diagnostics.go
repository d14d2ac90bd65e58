package config

import (
	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/meta/control"
)

// Diagnostics gives the settings by module, as SHOW DIAGNOSTICS of InfluxDB has
// them: those that there are here, and none that is secret.
func (c *Config) Diagnostics() map[string]map[string]any {
	monitor := map[string]any{"store-enabled": c.Monitor.StoreEnabled}
	if c.Monitor.StoreEnabled {
		monitor["store-database"] = c.Monitor.StoreDatabase
		monitor["store-interval"] = c.Monitor.StoreInterval.String()
	}
	return map[string]map[string]any{
		"config": {"bind-address": c.RPC.Listen, "reporting-disabled": true},
		"config-coordinator": {
			"log-queries-after": c.Queries.LogAfter.String(), "max-concurrent-queries": int64(c.Queries.Concurrent),
			"max-select-buckets": int64(c.Queries.MaxBuckets), "max-select-point": int64(c.Queries.MaxPoints),
			"max-select-series": int64(c.Queries.MaxSeries), "query-timeout": c.Queries.Timeout.String(),
			"write-timeout": coordinator.DefaultConfig().WriteTimeout.String(),
		},
		"config-cqs": {"enabled": !c.ContinuousOff, "run-interval": c.Continuous.RunInterval.String()},
		"config-data": {
			"dir": c.DataDir, "wal-dir": c.DataDir, "query-log-enabled": c.Queries.Log,
			"max-series-per-database": c.Limits.Series, "max-values-per-tag": c.Limits.ValuesPerTag,
		},
		"config-httpd": {
			"bind-address": c.HTTPAddress, "enabled": true, "log-enabled": c.AccessLog.Enabled,
			"access-log-path": c.AccessLog.Path, "max-row-limit": int64(c.MaxRowLimit),
		},
		"config-meta":       {"dir": c.DataDir},
		"config-monitor":    monitor,
		"config-precreator": {"enabled": true, "advance-period": control.DefaultConfig().PrecreateAhead.String(), "check-interval": control.DefaultConfig().PrecreateInterval.String()},
		"config-retention":  {"enabled": true, "check-interval": control.DefaultConfig().RetentionInterval.String()},
		"config-subscriber": {
			"enabled": !c.SubscriberOff, "http-timeout": c.Subscriber.HTTPTimeout.String(), "total-buffer-bytes": c.Subscriber.TotalBufferBytes,
		},
	}
}
