package query

import (
	"log/slog"
	"time"

	"github.com/influxdata/influxql"
)

const (
	// maxLogged bounds the text of a statement in the log, and logLinesASecond the
	// lines about statements.
	maxLogged       = 4096
	logLinesASecond = 200
)

// logStatement writes the line of a statement that has run, where that is asked
// for. What was read is that of the request so far.
func (e *Executor) logStatement(t *task, id int, stmt influxql.Statement, took time.Duration, err error) {
	if !e.cfg.Log {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = Redact(err.Error())
	}
	e.lines.Log(slog.LevelInfo, "query", append([]any{
		"id", t.id, "statement_id", id, "database", t.query.req.Database, "user", nameOfUser(t.query.req.User), "request", t.query.req.ID,
		"query", loggable(stmt.String()), "took", took, "outcome", outcome,
	}, t.figures()...)...)
}

// logSlow writes what a request took that ran for longer than is usual.
func (e *Executor) logSlow(t *task) {
	took := time.Since(t.start)
	if e.cfg.LogAfter == 0 || took < e.cfg.LogAfter {
		return
	}
	e.lines.Log(slog.LevelWarn, "slow query ended", append(append(t.facts(), "took", took), t.figures()...)...)
}

// facts are what names a request in the log.
func (t *task) facts() []any {
	req := &t.query.req
	return []any{"id", t.id, "database", req.Database, "user", nameOfUser(req.User), "request", req.ID, "query", loggable(t.text())}
}

// figures are what a request has read and held.
func (t *task) figures() []any {
	_, peak := t.held()
	return []any{
		"series", t.read.Series.Load(), "blocks", t.read.Blocks.Load(), "bytes", t.read.Bytes.Load(), "points", t.read.Rows.Load(),
		"rows", t.answered.Load(), "memory", peak, "scan_time", time.Duration(t.read.Busy.Load()),
	}
}

func nameOfUser(u User) string {
	if u == nil {
		return ""
	}
	return u.Name()
}

// loggable gives statements as they may be logged: without secrets, not too long.
func loggable(text string) string {
	text = Redact(text)
	if len(text) > maxLogged {
		text = text[:maxLogged] + "..."
	}
	return text
}
