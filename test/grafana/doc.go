// Package grafana reads what grafana/ and docker/ provision and sends every
// query of every panel to a running server, as Grafana's InfluxDB data source
// would.
package grafana
