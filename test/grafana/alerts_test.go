package grafana

import (
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/varvedb/varve/test/harness"
)

// alerts is a file of rules.
type alerts struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// metricName finds names of metrics in an expression: what has an underscore is
// one, or a function, which a parenthesis follows.
var (
	metricName = regexp.MustCompile(`\b[a-z]+(?:_[a-z0-9]+)+\b\s*\(?`)
	inQuotes   = regexp.MustCompile(`"[^"]*"`)
)

func TestAlertsAreAboutMetricsThatThereAre(t *testing.T) {
	var file alerts
	readYAML(t, "../../grafana/alerts.yaml", &file)
	server, err := harness.Start(harness.Build(t), t.TempDir(), "--rpc-bind-address", "127.0.0.1:0", "--meta-client-address", "127.0.0.1:0", "--meta-peer-address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := server.Query("", `CREATE DATABASE "d"`); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if names[r.Alert] || r.Alert == "" || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("rule %+v is incomplete, or there twice", r)
			}
			names[r.Alert] = true
			known := 0
			for _, name := range metricName.FindAllString(inQuotes.ReplaceAllString(r.Expr, ""), -1) {
				if strings.HasSuffix(name, "(") {
					continue // a function
				}
				name = strings.TrimSpace(name)
				known++
				if !regexp.MustCompile(`(?m)^` + name + `[ {]`).Match(text) {
					t.Errorf("%s is about %s, which /metrics does not have", r.Alert, name)
				}
			}
			if known == 0 {
				t.Errorf("%s is about no metric: %s", r.Alert, r.Expr)
			}
		}
	}
	if len(names) < 15 {
		t.Errorf("%d alerts", len(names))
	}
}

func TestPromtoolTakesTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here; it comes with Debian's prometheus")
	}
	if out, err := exec.Command(promtool, "check", "rules", "../../grafana/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
