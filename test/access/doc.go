// Package access asks a real server with authentication on for every kind of
// statement, as everyone, of every database, and compares who may do what with
// testdata/statements.txt. Beside it, where one is given, it asks InfluxDB the same.
package access
