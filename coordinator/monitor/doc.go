// Package monitor says how a node does in the words of InfluxDB: its statistics,
// by module, with InfluxDB's names. They are made of the node's own metrics by the
// table in table.go; nothing is counted twice.
//
// A Monitor gives them to SHOW STATS, answers /debug/vars with them, and, where
// that is asked for, writes them to the database _internal.
package monitor
