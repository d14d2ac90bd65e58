// Package querytest is the language of scripts in which query tests are
// written, and a database in memory that they run on.
//
// A script is a text of commands, each with its input and, after a line of four
// dashes, its output. A blank line ends a command. Lines that begin with # are
// comments.
//
//	write db=metrics
//	cpu,host=a usage=1.5 1000000000
//	----
//	ok
//
//	query db=metrics
//	SELECT usage FROM cpu GROUP BY host
//	----
//	cpu{host=a} time usage
//	1970-01-01T00:00:01Z 1.5
//
// The commands are write (line protocol; options db, rp) and query (InfluxQL;
// options db, rp, chunk, extensions). Missing databases are made by write. In the output
// of a query every series begins with its name, its tags if it is grouped, and
// its columns; then come the rows, text in quotes. "error:" begins the error of
// a statement, and "--" stands between statements.
//
// Run runs a script several times, on stores that cut time into shards and
// series into granules of different sizes: the output must be the same. With
// the flag -rewrite it writes the outputs into the script instead.
//
// RunOn runs a script on another Database, as one of real nodes. A Generator
// draws rows and statements for tests of what all of them must answer alike.
//
// Reference makes docs/influxql.md of the tables of functions and statements.
package querytest
