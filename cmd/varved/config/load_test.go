package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/continuous"
	"github.com/varvedb/varve/meta"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "varved.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFlagsWinOverTheEnvironmentWhichWinsOverTheFile(t *testing.T) {
	file := writeFile(t, `
node-name = "file"
roles = ["meta", "data", "coordinator"]
[data]
dir = "file-dir"
unsigned = true
[http]
bind-address = "127.0.0.1:1"
[log]
level = "warn"
`)
	c, warnings, err := Load(
		[]string{"--config", file, "--data-dir", "flag-dir"},
		[]string{"VARVE_DATA_DIR=env-dir", "VARVE_HTTP_BIND_ADDRESS=127.0.0.1:2", "VARVE_PORT=tcp://10.0.0.1:8086", "HOME=/root"})
	if err != nil {
		t.Fatalf("Load gave %v", err)
	}
	if c.DataDir != "flag-dir" || c.HTTPAddress != "127.0.0.1:2" || c.NodeName != "file" || c.LogLevel != slog.LevelWarn || !c.Unsigned {
		t.Errorf("Load gave %+v", c)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "VARVE_PORT") {
		t.Errorf("warnings %q, want one about VARVE_PORT", warnings)
	}
}

func TestDefaultsAreComplete(t *testing.T) {
	c, _, err := Load(nil, nil)
	if err != nil {
		t.Fatalf("Load gave %v", err)
	}
	if c.DataDir != "./varve-data" || c.HTTPAddress != "127.0.0.1:8086" || c.NodeName == "" || c.AllowUnauthenticated {
		t.Errorf("Load gave %+v", c)
	}
	if !slices.Equal(c.Roles, []meta.Role{meta.RoleMeta, meta.RoleData, meta.RoleCoordinator}) {
		t.Errorf("roles %v", c.Roles)
	}
}

func TestDefaultsAreWhatHelpSays(t *testing.T) {
	for _, s := range settings {
		if s.fallback == "" {
			continue
		}
		c := DefaultConfig()
		if err := s.set(&c, s.fallback); err != nil {
			t.Errorf("%s: its default %s: %v", s.name, s.fallback, err)
		} else if want := DefaultConfig(); !reflect.DeepEqual(c, want) {
			t.Errorf("%s is not %s by default: that gives\n%+v, not\n%+v", s.name, s.fallback, c, want)
		}
	}
}

func TestTablesOfInfluxDBsFileAreRead(t *testing.T) {
	c, _, err := Load([]string{"--config", writeFile(t, `
[continuous_queries]
enabled = false
run-interval = "5s"
log-enabled = false
[subscriber]
enabled = true
allow = ["10.1.0.7/16", "loopback", "192.0.2.1"]
http-timeout = "5s"
ca-certs = ""
total-buffer-bytes = "8m"
`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.ContinuousOff || c.Continuous != (continuous.Config{RunInterval: 5 * time.Second}) {
		t.Errorf("continuous queries: off %v, %+v", c.ContinuousOff, c.Continuous)
	}
	if got, want := fmt.Sprint(c.Subscriber.Allow), "[10.1.0.0/16 127.0.0.0/8 ::1/128 192.0.2.1/32]"; got != want {
		t.Errorf("subscriptions may send to %s, want %s", got, want)
	}
	if c.SubscriberOff || c.Subscriber.HTTPTimeout != 5*time.Second || c.Subscriber.TotalBufferBytes != 8<<20 {
		t.Errorf("subscriptions: off %v, %+v", c.SubscriberOff, c.Subscriber)
	}
}

func TestConfigurationNamesItsFile(t *testing.T) {
	file := writeFile(t, `node-name = "file"`)
	c, _, err := Load(nil, []string{"VARVE_CONFIG=" + file})
	if err != nil || c.NodeName != "file" {
		t.Errorf("Load gave %+v, %v", c, err)
	}
}

func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  []string
		file string
		want string // with FILE for the file's name
	}{
		{name: "unknown flag", args: []string{"--speed", "9"}, want: "flag provided but not defined: -speed (varved --help lists the flags)"},
		{name: "argument", args: []string{"start"}, want: `unexpected argument "start" (varved --help lists the flags)`},
		{name: "bad flag", args: []string{"--log-level", "loud"}, want: `not one of debug, info, warn, error`},
		{name: "bad variable", env: []string{"VARVE_LOG_LEVEL=loud"}, want: `VARVE_LOG_LEVEL="loud": not one of debug, info, warn, error`},
		{name: "no port", args: []string{"--http-bind-address", "localhost"}, want: "not of the form HOST:PORT"},
		{name: "big port", args: []string{"--http-bind-address", "localhost:70000"}, want: "not a number from 0 to 65535"},
		{name: "unknown key", file: "node-name = \"a\"\n\n[http]\nbind-adress = \"127.0.0.1:1\"\n", want: `FILE:4: unknown key "http.bind-adress"`},
		{name: "unknown table", file: "[graphite]\nenabled = true\n", want: `FILE:1: there may be several`},
		{name: "first of two", file: "zzz = 1\n[http]\naaa = 1\n", want: `FILE:1: unknown key "zzz"`},
		{name: "bad value", file: "# c\nlog-level = \"loud\"\n", want: `FILE:2: log-level = "loud": not one of debug, info, warn, error`},
		{name: "wrong type", file: "node-name = 1.5\n", want: `FILE:1: node-name = 1.5: not a string, a number, a switch or a list of strings`},
		{name: "list of numbers", file: "roles = [1]\n", want: `FILE:1: roles = [1]: not a list of strings`},
		{name: "twice", file: "http-bind-address = \"127.0.0.1:1\"\n[http]\nbind-address = \"127.0.0.1:2\"\n", want: "was set before"},
		{name: "no TOML", file: "node-name = \"a\"\nthis is no toml\n", want: "FILE:2: "},
		{name: "no file", args: []string{"--config", "/nowhere/varved.toml"}, want: "read configuration: open /nowhere/varved.toml: no such file or directory"},
		{name: "unknown role", args: []string{"--roles", "data,king"}, want: `"king" is not one of meta, data, coordinator`},
		{name: "role alone", args: []string{"--roles", "data"}, want: "roles data: a server that is alone needs data and coordinator"},
		{name: "rpc everywhere", args: []string{"--rpc-bind-address", "0.0.0.0:8088"}, want: "rpc-advertise-address must say by which others reach it"},
		{name: "join without rpc", args: []string{"--join", "a:1"}, want: "join: rpc-bind-address must be set"},
		{name: "join that is no address", args: []string{"--join", "a"}, want: "a: not of the form HOST:PORT"},
		{name: "part of the certificates", args: []string{"--tls-key", "k"}, want: "tls-certificate, tls-key and, in a cluster, tls-ca are set together"},
		{name: "user without password", args: []string{"--etcd-user", "u"}, want: "etcd-user and etcd-password are set together"},
		{name: "join of itself", args: []string{"--rpc-bind-address", "127.0.0.1:8088", "--join", "127.0.0.1:8088"}, want: "join 127.0.0.1:8088: that is this node itself"},
		{name: "short token", args: []string{"--join-token", "short"}, want: "at least 32 characters"},
		{name: "level", args: []string{"--consistency", "most"}, want: "not one of any, one, quorum, all"},
		{name: "time", args: []string{"--replace-after", "soon"}, want: "not a time such as"},
		{name: "no time", args: []string{"--replace-after", "0d"}, want: "not a time such as"},
		{name: "ratio", args: []string{"--tracing-ratio", "NaN"}, want: "not a number from 0 to 1"},
		{name: "no whole number", file: "max-row-limit = 1.5\n", want: `FILE:1: max-row-limit = "1.5": not a number from 0 on`},
		{name: "token file", args: []string{"--rpc-bind-address", "127.0.0.1:0", "--join-token-file", "/does/not/exist"}, want: `--join-token-file="/does/not/exist": open /does/not/exist`},
		{name: "no meta", args: []string{"--roles", "data,coordinator"}, want: "without the role meta etcd-endpoints or join must be set"},
		{name: "open to all", args: []string{"--http-bind-address", ":8086"}, want: "not a loopback address, and authentication is off"},
		{name: "little memory", args: []string{"--memory-limit", "1m"}, want: "at least 128m"},
		{name: "no size", env: []string{"VARVE_MEMORY_LIMIT=lots"}, want: "not a size such as 512m or 4g"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args, file := test.args, ""
			if test.file != "" {
				file = writeFile(t, test.file)
				args = append(args, "--config", file)
			}
			_, _, err := Load(args, test.env)
			if err == nil {
				t.Fatalf("Load(%q, %q) gave no error", args, test.env)
			}
			text := err.Error()
			if want := strings.ReplaceAll(test.want, "FILE", file); !strings.Contains(text, want) {
				t.Errorf("Load gave %q, want %q in it", text, want)
			}
			if strings.Contains(text, "\n") {
				t.Errorf("Load gave more than a line: %q", text)
			}
		})
	}
}

func TestAddressBeyondLoopbackMustBeAskedFor(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:0": true, "127.1.2.3:8086": true, "[::1]:8086": true, "localhost:8086": true,
		":8086": false, "0.0.0.0:8086": false, "[::]:8086": false, "192.0.2.7:8086": false,
	} {
		_, _, err := Load([]string{"--http-bind-address", address}, nil)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if _, _, err := Load([]string{"--http-bind-address", address, "--allow-unauthenticated"}, nil); err != nil {
			t.Errorf("%s, allowed: %v", address, err)
		}
		if _, _, err := Load([]string{"--http-bind-address", address, "--http-auth-enabled", "true"}, nil); err != nil {
			t.Errorf("%s, with authentication: %v", address, err)
		}
		if _, _, err := Load([]string{"--http-bind-address", address, "--http-auth-enabled", "false"}, nil); (err == nil) != ok {
			t.Errorf("%s, without authentication: %v", address, err)
		}
	}
}

func TestHelpAndVersionAreNoServers(t *testing.T) {
	if _, _, err := Load([]string{"--help"}, nil); !errors.Is(err, ErrHelp) {
		t.Errorf("--help gave %v", err)
	}
	if _, _, err := Load([]string{"-version"}, nil); !errors.Is(err, ErrVersion) {
		t.Errorf("-version gave %v", err)
	}
	var b strings.Builder
	Help(&b)
	for _, s := range settings {
		if !strings.Contains(b.String(), "--"+s.name) {
			t.Errorf("help does not tell of --%s", s.name)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "512": 512, "2k": 2 << 10, "512m": 512 << 20, "4G": 4 << 30} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "m", "-1", "1.5g", "9223372036854775807g", "x"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", text, got)
		}
	}
}
