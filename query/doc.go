// Package query runs InfluxQL. An Executor takes the text of a request, checks
// its size and depth, parses it and runs its statements one after another;
// rows go to a Sink as they come.
//
// SELECT is planned by query/plan and computed by query/exec. SHOW statements
// are lists merged from the shards. Statements that change databases and
// policies, and deletes, are handed on.
//
// What the package needs of its surroundings it declares here: Catalog, the
// databases and policies, and Storage, the shards. Package coordinator
// implements both.
package query
