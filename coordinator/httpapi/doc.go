// Package httpapi is the HTTP endpoints of InfluxDB 1.x: /write, /query, /ping,
// /status, /health, /api/v2/write, those of Prometheus's remote write and read
// (messages in package remote), /metrics, and /debug/ for operators; and, from
// InfluxDB 1.12, /api/v2/delete and /api/v2/buckets. Statuses, headers and bodies
// are those of InfluxDB 1.8.10.
//
// A Server has the routes and the limits: what a body may be on the wire and
// unpacked, how many bytes of bodies are held at a time, how slow a client may
// be. Bodies go through a Parser to a Writer, queries through Queries into an
// encoder, one each for JSON, CSV and MessagePack, which writes typed columns
// as they come.
//
// Every route says whom it answers (see access); what a user may do is decided in
// package query, on statements that were parsed or, for routes that are not InfluxQL,
// made.
package httpapi
