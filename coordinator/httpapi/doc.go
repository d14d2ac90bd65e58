// Package httpapi is the HTTP endpoints of InfluxDB 1.x: /write, /query, /ping,
// /status, /health, /api/v2/write, and /metrics for Prometheus. Statuses,
// headers and bodies are those of InfluxDB 1.8.10.
//
// A Server has the routes and the limits: what a body may be on the wire and
// unpacked, how many bytes of bodies are held at a time, how slow a client may
// be. Bodies go through a Parser to a Writer, queries through Queries into an
// encoder, one each for JSON, CSV and MessagePack, which writes typed columns
// as they come.
//
// There is no authentication yet: u, p and Authorization are taken from every
// client and not looked at.
package httpapi
