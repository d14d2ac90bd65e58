// Package opentsdb reads points in OpenTSDB's two forms: lines of its telnet
// protocol and the JSON of /api/put.
package opentsdb
