// Package remote is the messages of Prometheus's remote write and remote read,
// version 1: Protocol Buffers in one snappy block.
//
// DecodeWrite gives the samples of a write as a batch, DecodeRead what a read
// asks for, and a Result collects the answer to it. As in InfluxDB the
// measurement is the label __name__, every label is a tag, that one too, and the
// value is the field "value". What else newer Prometheus servers send, such as
// metadata, exemplars and native histograms, is left out.
//
// The messages, with the numbers of their fields:
//
//	WriteRequest  1 repeated TimeSeries
//	TimeSeries    1 repeated Label, 2 repeated Sample
//	Label         1 string name, 2 string value
//	Sample        1 double value, 2 int64 time in milliseconds
//	ReadRequest   1 repeated Query
//	Query         1 int64 start, 2 int64 end, both in milliseconds and included, 3 repeated Matcher
//	Matcher       1 enum: = != =~ !~, 2 string name, 3 string value
//	ReadResponse  1 repeated QueryResult
//	QueryResult   1 repeated TimeSeries
package remote
