// Package clients runs real clients of InfluxDB against a real server:
// Telegraf, the influx shell and influxdb-python. `make compat-clients` installs
// what can be installed; what is missing is skipped with the reason.
package clients
