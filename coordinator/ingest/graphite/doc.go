// Package graphite reads Graphite's plaintext protocol, a line "path value
// [timestamp]" for each point. A Parser makes measurement, tags and field of a
// path by templates, as InfluxDB's Graphite listener does.
package graphite
