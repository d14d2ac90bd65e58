package grafana

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
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
// inside a regular expression becomes an alternation.
func Fill(query string, values map[string][]string, min, max int64) string {
	for name, v := range values {
		text := strings.Join(v, "|")
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
