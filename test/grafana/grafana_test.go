package grafana

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/varvedb/varve/test/harness"
)

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func dashboards(t *testing.T) []*Dashboard {
	t.Helper()
	files, err := filepath.Glob("../../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var all []*Dashboard
	for _, file := range files {
		d, err := ReadDashboard(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestProvisionedFilesFitTogether(t *testing.T) {
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `json:"isDefault"`
			JSONData                     struct {
				Version, DBName, HTTPMode, TimeInterval string
				MaxSeries                               int `json:"maxSeries"`
			} `json:"jsonData"`
		} `json:"datasources"`
	}
	readYAML(t, "../../grafana/provisioning/datasources/varve.yaml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != "influxdb" || sources.Datasources[0].JSONData.DBName != "telegraf" {
		t.Fatalf("data sources: %+v", sources)
	}
	source := DataSource{Type: "influxdb", UID: sources.Datasources[0].UID}

	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type    string
			OrgID                 int `json:"orgId"`
			UpdateIntervalSeconds int
			AllowUIUpdates        bool `json:"allowUiUpdates"`
			Options               struct{ Path string }
		}
	}
	readYAML(t, "../../grafana/provisioning/dashboards/varve.yaml", &providers)
	var compose struct {
		Services map[string]struct {
			Build       map[string]string
			Image       string
			ReadOnly    bool `json:"read_only"`
			Ports       []string
			Volumes     []string
			Environment map[string]string
			DependsOn   map[string]any `json:"depends_on"`
			Restart     string
		}
		Volumes map[string]any
	}
	readYAML(t, "../../docker/compose.yaml", &compose)
	mounts := strings.Join(compose.Services["grafana"].Volumes, " ")
	if path := providers.Providers[0].Options.Path; !strings.Contains(mounts, "../grafana/dashboards:"+path+":ro") {
		t.Errorf("compose.yaml mounts %q, the provider reads %q", mounts, path)
	}
	for _, port := range append(compose.Services["varved"].Ports, compose.Services["grafana"].Ports...) {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("compose.yaml publishes %s beyond loopback", port)
		}
	}

	ids := map[string]bool{}
	for _, d := range dashboards(t) {
		if d.UID == "" || ids[d.UID] {
			t.Errorf("%s: uid %q is empty or used twice", d.Title, d.UID)
		}
		ids[d.UID] = true
		panels := map[int]bool{}
		for _, v := range d.Templating.List {
			if v.Datasource != source {
				t.Errorf("%s: variable %s asks %+v", d.Title, v.Name, v.Datasource)
			}
		}
		for _, p := range d.Panels {
			if panels[p.ID] {
				t.Errorf("%s: two panels have id %d", d.Title, p.ID)
			}
			panels[p.ID] = true
			if p.Type == "row" {
				continue
			}
			if len(p.Targets) == 0 || p.Datasource != source {
				t.Errorf("%s: panel %q has %d targets and asks %+v", d.Title, p.Title, len(p.Targets), p.Datasource)
			}
			for _, q := range p.Targets {
				if !q.RawQuery || q.Query == "" || q.Datasource != source {
					t.Errorf("%s: panel %q: target %+v", d.Title, p.Title, q)
				}
			}
		}
	}
}

// scrape gives what Telegraf's prometheus input with metric_version 2 makes of
// the server's own metrics: measurement "prometheus", a field per metric.
func scrape(t *testing.T, server string) []string {
	t.Helper()
	resp, err := http.Get(server + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var lines []string
	s := bufio.NewScanner(resp.Body)
	for s.Scan() {
		line := s.Text()
		if strings.HasPrefix(line, "#") || strings.Contains(line, "NaN") || strings.Contains(line, "Inf") {
			continue
		}
		name, value, ok := strings.Cut(line, " ")
		if i := strings.LastIndex(line, "} "); i >= 0 {
			name, value, ok = line[:i+1], line[i+2:], true
		}
		if !ok {
			continue
		}
		tags := ",host=node1,url=" + strings.ReplaceAll(server, "=", `\=`) + "/metrics"
		if i := strings.IndexByte(name, '{'); i >= 0 {
			for _, label := range strings.Split(strings.Trim(name[i:], "{}"), ",") {
				k, v, _ := strings.Cut(label, "=")
				if v = strings.Trim(v, `"`); v != "" {
					tags += "," + k + "=" + strings.NewReplacer(" ", `\ `, ",", `\,`, "=", `\=`).Replace(v)
				}
			}
			name = name[:i]
		}
		lines = append(lines, fmt.Sprintf("prometheus%s %s=%s", tags, name, value))
	}
	return lines
}

// TestEveryPanelShowsWhatTelegrafWrote writes ten minutes of what Telegraf's
// inputs write, fills in variables and macros, and wants rows from every query.
func TestEveryPanelShowsWhatTelegrafWrote(t *testing.T) {
	server, err := harness.Start(harness.Build(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := server.Query("", `CREATE DATABASE "telegraf"`); err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("testdata/telegraf.lp")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(10 * time.Second)
	start := now.Add(-10 * time.Minute)
	for at := start; at.Before(now); at = at.Add(10 * time.Second) {
		lines := strings.Split(strings.TrimSpace(string(sample)), "\n")
		if at.Sub(start)%time.Minute == 0 {
			lines = append(lines, scrape(t, server.URL)...)
		}
		var body bytes.Buffer
		for _, line := range lines {
			fmt.Fprintf(&body, "%s %d\n", line, at.UnixNano())
		}
		if err := server.Write("telegraf", body.String()); err != nil {
			t.Fatal(err)
		}
	}
	shown := 0
	for _, d := range dashboards(t) {
		n, err := Show(d, server, start, now)
		if err != nil {
			t.Error(err)
		}
		shown += n
	}
	t.Logf("%d queries of panels returned rows", shown)
}
