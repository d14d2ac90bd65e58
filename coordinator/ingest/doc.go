// Package ingest takes points by protocols other than HTTP's line protocol:
// line protocol over UDP, Graphite over TCP and UDP, OpenTSDB by telnet and
// HTTP, and collectd over UDP. Each is off unless the configuration turns it
// on, under the names that InfluxDB 1.x gives the settings, and any number of
// each may be open at a time.
//
// These protocols have no credentials, collectd's aside: who reaches a listener
// may write to its database and to no other.
package ingest
