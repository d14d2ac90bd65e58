package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// Dashboard is what the tests need of a dashboard's JSON.
type Dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []Panel `json:"panels"`
	Templating struct {
		List []Variable `json:"list"`
	} `json:"templating"`
}

// Panel is one panel, or a row of them.
type Panel struct {
	ID         int        `json:"id"`
	Type       string     `json:"type"`
	Title      string     `json:"title"`
	Datasource DataSource `json:"datasource"`
	Targets    []Target   `json:"targets"`
}

// DataSource names a provisioned data source.
type DataSource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Target is one query of a panel.
type Target struct {
	Datasource DataSource `json:"datasource"`
	RefID      string     `json:"refId"`
	RawQuery   bool       `json:"rawQuery"`
	Query      string     `json:"query"`
}

// Variable is a variable of a dashboard, filled by a query.
type Variable struct {
	Name       string     `json:"name"`
	Datasource DataSource `json:"datasource"`
	Query      string     `json:"query"`
}

// ReadDashboard reads a dashboard's file.
func ReadDashboard(file string) (*Dashboard, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var d Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return &d, nil
}

// Fill gives a query with its variables and macros filled in for the time from
// min to max, in milliseconds, as Grafana does: a variable with several values
// inside a regular expression becomes an alternation, its values escaped.
func Fill(query string, values map[string][]string, min, max int64) string {
	for name, v := range values {
		var escaped []string
		for _, text := range v {
			escaped = append(escaped, strings.ReplaceAll(regexp.QuoteMeta(text), "/", `\/`))
		}
		text := strings.Join(escaped, "|")
		if len(v) > 1 {
			text = "(" + text + ")"
		}
		query = strings.ReplaceAll(query, "$"+name, text)
	}
	return strings.NewReplacer(
		"$timeFilter", fmt.Sprintf("time >= %dms and time <= %dms", min, max),
		"$__interval_ms", "10000",
		"$__interval", "10s",
	).Replace(query)
}

// Show sends what a dashboard sends for the time from start to end: the queries
// of its variables, then those of its panels. It gives the number of panels'
// queries that returned values; an error names all that did not.
func Show(d *Dashboard, server *harness.Process, start, end time.Time) (shown int, err error) {
	var wrong []error
	values := map[string][]string{}
	for _, v := range d.Templating.List {
		rows, err := server.Query("telegraf", v.Query)
		if err != nil || len(rows) == 0 {
			wrong = append(wrong, fmt.Errorf("%s: variable %s has %d values: %w", d.Title, v.Name, len(rows), err))
		}
		for _, row := range rows {
			values[v.Name] = append(values[v.Name], fmt.Sprint(row[len(row)-1]))
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			q := Fill(target.Query, values, start.UnixMilli(), end.UnixMilli())
			rows, err := server.Query("telegraf", q)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: panel %q: %s: %w", d.Title, p.Title, q, err))
				continue
			}
			if !slices.ContainsFunc(rows, func(row []any) bool { return len(row) > 1 && row[1] != nil }) {
				wrong = append(wrong, fmt.Errorf("%s: panel %q shows nothing: %s", d.Title, p.Title, q))
				continue
			}
			shown++
		}
	}
	return shown, errors.Join(wrong...)
}
