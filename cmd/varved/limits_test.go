package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The words are InfluxDB 1.8's.
func TestSeriesLimitsHoldAndChangeWhileTheServerRuns(t *testing.T) {
	p := start(t, t.TempDir(), "--max-series-per-database", "2", "--max-values-per-tag", "3")
	ask(t, p, "", "CREATE DATABASE garden")
	write := func(lines, want string) {
		t.Helper()
		r, err := http.Post(p.URL+"/write?db=garden", "text/plain", strings.NewReader(lines))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		if got := strings.TrimSpace(string(b)); got != want {
			t.Errorf("%q gave %s: %s\nwant %s", lines, r.Status, got, want)
		}
	}
	limit := func(body string) {
		t.Helper()
		r, err := http.Post(p.URL+"/varve/v1/databases/garden/limits", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("limits gave %s", r.Status)
		}
	}
	write("soil,bed=a v=1\nsoil,bed=b v=1\nsoil,bed=c v=1\nsoil,bed=d v=1", `{"error":"partial write: max-series-per-database limit exceeded: (2) dropped=2"}`)
	write("soil,bed=a v=2\nsoil,bed=b v=2", "")
	limit(`{"max_series":10}`)
	write("soil,bed=c v=1", "")
	write("soil,bed=c v=2\nsoil,bed=d v=2", `{"error":"partial write: max-values-per-tag limit exceeded (3/3): measurement=\"soil\" tag=\"bed\" value=\"d\" dropped=1"}`)
	limit(`{"max_values_per_tag":-1}`)
	write("soil,bed=d v=2", "")
	limit(`{"write_points":1}`)
	write("soil,bed=a v=3 1\nsoil,bed=a v=3 2\nsoil,bed=a v=3 3", "")
	write("soil,bed=a v=4", `{"error":"write limit of database \"garden\" exceeded, try again later"}`)
	limit(`{"write_points":-1}`)
	write("soil,bed=a v=4", "")
	if got := ask(t, p, "garden", "SHOW TAG VALUES WITH KEY = bed"); strings.Count(got, `["bed",`) != 4 {
		t.Errorf("there are %s", got)
	}
}
