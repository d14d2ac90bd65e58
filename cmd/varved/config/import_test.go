package config

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/varvedb/varve/coordinator/ingest"
)

// sample is what `influxd config` of InfluxDB 1.8.10 prints.
const sample = "testdata/influxdb-1.8.10.toml"

func TestEveryKeyOfInfluxDBIsMappedOrListedAsIgnored(t *testing.T) {
	var out bytes.Buffer
	if err := Import(&out, sample); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]any
	if _, err := toml.Decode(string(b), &tables); err != nil {
		t.Fatal(err)
	}
	told := func(key string) {
		k, s := findInflux(key), findSetting(settingName(key))
		switch {
		case k == nil && s == nil:
			t.Errorf("%s is neither mapped nor ignored", key)
		case k != nil && k.setting == "" && !strings.Contains(out.String(), "# "+key+" "):
			t.Errorf("%s is ignored without a word", key)
		}
	}
	for name, v := range tables {
		switch v := v.(type) {
		case map[string]any:
			for key := range v {
				told(name + "." + key)
			}
		case []map[string]any:
			if len(v) != 1 || !strings.Contains(out.String(), "[["+name+"]]") {
				t.Errorf("%s is left out", name)
			}
		default:
			told(name)
		}
	}
}

func TestWhatIsImportedIsReadBackTheSame(t *testing.T) {
	from := newLoader()
	from.importing = true
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := from.file(sample, string(b)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Import(&out, sample); err != nil {
		t.Fatal(err)
	}
	to := newLoader()
	if err := to.file("imported", out.String()); err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	if !reflect.DeepEqual(to.config, from.config) {
		t.Errorf("came back as\n%+v, it was\n%+v", to.config, from.config)
	}
}

func TestKeysOfInfluxDBDoWhatTheirSettingDoes(t *testing.T) {
	c, warnings, err := Load([]string{"--config", writeFile(t, `
[coordinator]
query-timeout = "7s"
max-select-series = 0
max-select-point = 5
[data]
wal-dir = "/elsewhere"
max-values-per-tag = 9
[logging]
level = "warn"
[http]
headers = {a = "b"}
`)}, []string{"INFLUXDB_COORDINATOR_QUERY_TIMEOUT=8s", "INFLUXDB_DATA_MAX_VALUES_PER_TAG=10", "VARVE_MAX_VALUES_PER_TAG=11", "INFLUXDB_META_DIR=/x", "INFLUXDB_NOSUCH=1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Queries.Timeout != 8*time.Second || c.Queries.MaxSeries != DefaultConfig().Queries.MaxSeries || c.Queries.MaxPoints != 5 || c.Limits.ValuesPerTag != 11 {
		t.Errorf("Load gave %+v", c)
	}
	all := strings.Join(warnings, "\n")
	for _, want := range []string{"data.wal-dir has no effect", "coordinator.max-select-series has no effect", "http.headers has no effect", "INFLUXDB_META_DIR has no effect", "INFLUXDB_NOSUCH"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q:\n%s", want, all)
		}
	}
}

func TestNoKeyOfInfluxDBStandsBesideASettingOfItsName(t *testing.T) {
	for _, k := range influxKeys {
		// data.dir, and values that only a file made for InfluxDB has without being meant
		if s := findSetting(settingName(k.key)); s != nil && k.key != "data.dir" && k.unless == "" {
			t.Errorf("%s is a setting", k.key)
		}
		if k.setting != "" && findSetting(k.setting) == nil {
			t.Errorf("%s: there is no setting %s", k.key, k.setting)
		}
		if k.why == "" && (k.setting == "" || k.unless != "") {
			t.Errorf("%s: nothing says why it has no effect", k.key)
		}
	}
}

func TestListenersAreTablesAndVariables(t *testing.T) {
	file := writeFile(t, `
[[udp]]
  enabled = true
  database = "a"
  batch-timeout = "3s"
[[udp]]
  bind-address = ":8090"
  read-buffer = 4096
[[graphite]]
  templates = ["*.app env.service.resource", "server.*"]
  tags = ["region=eu,west"]
`)
	c, warnings, err := Load([]string{"--config", file}, []string{
		"INFLUXDB_UDP_0_BIND_ADDRESS=:8091", "INFLUXDB_UDP_PRECISION=s", "INFLUXDB_UDP_1_DATABASE=b", "VARVE_UDP_1_DATABASE=c", "VARVE_UDP_2_DATABASE=d",
		"INFLUXDB_GRAPHITE_0_TEMPLATES_1=client.*", "INFLUXDB_GRAPHITE_0_TEMPLATES_2=last", "INFLUXDB_OPENTSDB_ENABLED=true",
	})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	udp := func(change func(*ingest.UDP)) ingest.UDP {
		u := ingest.DefaultUDP()
		change(&u)
		return u
	}
	graphite := ingest.DefaultGraphite()
	graphite.Templates = []string{"*.app env.service.resource", "client.*", "last"}
	graphite.Tags = []string{"region=eu,west"}
	opentsdb := ingest.DefaultOpenTSDB()
	opentsdb.Enabled = true
	want := ingest.Config{
		UDP: []ingest.UDP{
			udp(func(u *ingest.UDP) {
				u.Enabled, u.BindAddress, u.Database, u.BatchTimeout, u.Precision = true, ":8091", "a", 3*time.Second, "s"
			}),
			udp(func(u *ingest.UDP) { u.BindAddress, u.Database, u.ReadBuffer, u.Precision = ":8090", "c", 4096, "s" }),
			udp(func(u *ingest.UDP) { u.Database = "d" }),
		},
		Graphite: []ingest.Graphite{graphite},
		OpenTSDB: []ingest.OpenTSDB{opentsdb},
		Collectd: []ingest.Collectd{ingest.DefaultCollectd()},
	}
	if !reflect.DeepEqual(c.Listeners, want) {
		t.Errorf("listeners\n%+v, want\n%+v", c.Listeners, want)
	}
}
