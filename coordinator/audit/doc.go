// Package audit keeps a record of what administrators look into: who failed to
// log in, who changed, granted or deleted what, and who read what is for
// administrators.
//
// A Log writes one line of JSON for each Event, into a file of its own that is
// bounded: at its size limit it is renamed, and the oldest of the renamed ones
// is removed.
//
//	{"time":"2024-01-02T03:04:05.678901234Z","action":"drop database","user":"root","address":"10.0.0.7:53112","request":"6f2e…","database":"d","statement":"DROP DATABASE d","outcome":"ok"}
//
// Passwords do not come here: query.Redact took them out of statements.
package audit
