// Package clients runs real clients of InfluxDB against a real server:
// Telegraf, the influx shell, influxdb-python, the clients of npm and of Go,
// Prometheus and collectd, with authentication and TLS where they have it. Some
// of them meet trouble: restarts, overload, a full disk, no etcd. `make
// compat-clients` installs what can be installed; what is missing is skipped with
// the reason.
package clients
