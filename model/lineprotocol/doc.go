// Package lineprotocol turns InfluxDB line protocol into columnar batches.
//
// A Parser takes a whole request body and gives a Result: the rows of the lines
// that are good, the lines that cannot be parsed, and the points that parse but
// must not be stored. InfluxDB 1.8.10 decides which is which and in what words.
//
// A line goes one of three ways. If its measurement and tags were seen before,
// they are not looked at again: their bytes are hashed and the hash finds the
// series. Those that are new are cut up and put in order, and the fields are
// read in the order of the lines before. The first line of a measurement, and
// one that is not written in the usual way, is decoded by the line-protocol
// library. A line that the library would read otherwise than InfluxDB does, or
// refuses, goes through the decoder of this package that follows InfluxDB 1.8.10
// byte for byte, and whose texts the client sees.
//
// What a field's type is in the database, which rows conflict with it, and how
// a batch is split and stored is left to the coordinator.
package lineprotocol
