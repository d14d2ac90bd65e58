// Package memory bounds what running queries hold. A Pool is what all queries
// of a node may hold together, a Budget what one of them may, and an Account what
// one operator of it holds at the moment.
//
// A Budget goes with the context, since what a query runs through is many
// layers, of which most hold nothing: FromContext gives it where something is
// held. A context without one bounds nothing, as in tests.
//
// What is counted is state: windows, values, rows that wait, lists. Fixed
// buffers and what is on its way to the client are not.
package memory
