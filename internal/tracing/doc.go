// Package tracing follows a request through the server and on to other nodes, and
// sends what it sees to an OpenTelemetry collector.
//
// A Tracer begins a trace where a request comes in; Start adds a span to the trace
// that the context has, which is all that the code on its way knows of it. Without
// a Tracer no context has one, and Start looks into the context and does nothing.
//
// Spans carry names, numbers and statements without secrets. They wait in a
// bounded queue for the collector, and are dropped when that does not take them.
package tracing
