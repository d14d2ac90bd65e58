package query

import (
	"context"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// showStats shows the statistics of this node, of all modules or of one.
func (r *statementRun) showStats(ctx context.Context, stmt *influxql.ShowStatsStatement) error {
	if err := r.begin(Statement{}); err != nil {
		return err
	}
	of := r.executor.monitor.Statistics
	if of == nil {
		return nil
	}
	all, err := of(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if s := &all[i]; stmt.Module == "" || s.Name == stmt.Module {
			values := make(map[string]any, len(s.Values))
			for name, v := range s.Values {
				values[name] = v
			}
			if err := r.showRow(s.Name, s.Tags, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// showDiagnostics shows what this node is and how it is set up, by module.
func (r *statementRun) showDiagnostics(stmt *influxql.ShowDiagnosticsStatement) error {
	if err := r.begin(Statement{}); err != nil {
		return err
	}
	all := r.executor.diagnostics(time.Now())
	for _, module := range slices.Sorted(maps.Keys(all)) {
		if stmt.Module != "" && stmt.Module != module {
			continue
		}
		if err := r.showRow(module, nil, all[module]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Executor) diagnostics(now time.Time) map[string]map[string]any {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	all := map[string]map[string]any{
		"build": {"Branch": "unknown", "Build Time": "", "Commit": "unknown", "Version": e.monitor.Version},
		"runtime": {
			"GOARCH": runtime.GOARCH, "GOMAXPROCS": int64(runtime.GOMAXPROCS(0)), "GOOS": runtime.GOOS, "version": runtime.Version(),
		},
		"network": {"hostname": host},
		"system": {
			"PID": int64(os.Getpid()), "currentTime": now.UTC().Format(time.RFC3339Nano),
			"started": e.monitor.Started.UTC().Format(time.RFC3339Nano), "uptime": now.Sub(e.monitor.Started).String(),
		},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				all["build"]["Commit"] = s.Value
			case "vcs.time":
				all["build"]["Build Time"] = s.Value
			}
		}
	}
	maps.Copy(all, e.monitor.Settings)
	return all
}

// showRow shows a series of one row, with its columns in order of their names.
func (r *statementRun) showRow(name string, tags model.Tags, values map[string]any) error {
	rows := exec.Rows{Name: name, Tags: tags, HasTags: len(tags) > 0, Columns: slices.Sorted(maps.Keys(values))}
	for _, column := range rows.Columns {
		c := model.Column{Field: model.Field{Name: column}}
		switch v := values[column].(type) {
		case int64:
			c.Type = model.Integer
			c.AppendBits(uint64(v))
		case float64:
			c.Type = model.Float
			c.AppendBits(math.Float64bits(v))
		case bool:
			c.Type = model.Boolean
			c.AppendBits(bit(v))
		case string:
			c.Type = model.String
			c.AppendText([]byte(v))
		}
		rows.Values = append(rows.Values, c)
	}
	return r.rows(&rows)
}
