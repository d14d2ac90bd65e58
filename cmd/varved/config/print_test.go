package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const canary = "canary-0123456789-0123456789-0123456789"

func TestPrintedSettingsSayWhereTheyComeFromAndAreReadBack(t *testing.T) {
	file := writeFile(t, "node-name = \"a\\\"b\\\\\"\nroles = [\"meta\", \"data\", \"coordinator\"]\nmax-row-limit = 7\ntracing-ratio = 0.25\n[[udp]]\n")
	args, environ := []string{"--config", file, "--log-level", "warn", "--extensions"}, []string{"INFLUXDB_DATA_DIR=/d", "VARVE_QUERY_TIMEOUT=3s", "VARVE_UDP_0_DATABASE=x"}
	var out bytes.Buffer
	if err := Print(&out, args, environ); err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]string)
	for line := range strings.Lines(out.String()) {
		if key, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && lines[key] == "" {
			lines[key] = strings.Join(strings.Fields(rest), " ")
		}
	}
	for key, want := range map[string]string{
		"node-name": `= "a\"b\\" # file ` + file, "data-dir": `= "/d" # INFLUXDB_DATA_DIR`, "query-timeout": `= "3s" # VARVE_QUERY_TIMEOUT`,
		"log-level": `= "warn" # --log-level`, "extensions": "= true # --extensions", "max-row-limit": "= 7 # file " + file, "tracing-ratio": "= 0.25 # file " + file,
		"consistency": `= "one" # default`, "database": `= "x" # VARVE_UDP_0_DATABASE`,
	} {
		if lines[key] != want {
			t.Errorf("%s %s, want %s", key, lines[key], want)
		}
	}
	want, _, err := Load(args, environ)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := Load([]string{"--config", writeFile(t, out.String())}, nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("came back as\n%+v, %v; it was\n%+v", got, err, want)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		if s.value != isSecret {
			continue
		}
		for _, source := range []struct{ args, environ []string }{
			{args: []string{"--" + s.name, canary}},
			{environ: []string{s.variable(ourPrefix) + "=" + canary}},
			{environ: []string{s.variable(influxPrefix) + "_FILE=" + secret}},
			{args: []string{"--config", writeFile(t, s.name+" = \""+canary+"\"\n")}},
			{args: []string{"--config", writeFile(t, s.name+" = [\""+canary+"\", 1]\n")}},
		} {
			var out bytes.Buffer
			err := Print(&out, source.args, source.environ) // may lack the setting that belongs to it
			if err != nil {
				out.WriteString(err.Error())
			}
			_, warnings, _ := Load(source.args, source.environ)
			if all := out.String() + strings.Join(warnings, "\n"); strings.Contains(all, "canary") {
				t.Errorf("%s from %+v is shown:\n%s", s.name, source, all)
			}
		}
	}
}

func TestASecretIsReadFromAFileOfItsOwn(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := Load(nil, []string{"INFLUXDB_ADMIN_USER=root", "INFLUXDB_ADMIN_PASSWORD_FILE=" + secret})
	if err != nil || len(warnings) > 0 || c.FirstStart.Admin != (Account{"root", canary}) {
		t.Errorf("%+v, warnings %q, %v", c.FirstStart, warnings, err)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	_, warnings, err = Load(nil, []string{"INFLUXDB_ADMIN_USER=root", "INFLUXDB_ADMIN_PASSWORD_FILE=" + secret})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "everyone on this machine may read it") {
		t.Errorf("of a file that everyone may read: warnings %q, %v", warnings, err)
	}
}

func TestListenersFilesWithSecretsAreWarnedOf(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "auth_file")
	environ := []string{
		"INFLUXDB_COLLECTD_0_ENABLED=true", "INFLUXDB_COLLECTD_0_AUTH_FILE=" + secret,
		"INFLUXDB_OPENTSDB_0_ENABLED=true", "INFLUXDB_OPENTSDB_0_TLS_ENABLED=true", "INFLUXDB_OPENTSDB_0_CERTIFICATE=" + secret,
	}
	if err := os.WriteFile(secret, []byte("user: "+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 2} {
		if err := os.Chmod(secret, mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := Load(nil, environ)
		if err != nil || len(warnings) != want {
			t.Errorf("mode %o: warnings %q, %v", mode, warnings, err)
		}
	}
}

func TestAFileWithASecretIsForItsOwner(t *testing.T) {
	file := writeFile(t, "join-token = \""+canary+"\"\n")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o644: false, 0o666: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load([]string{"--config", file}, nil); (err == nil) != ok {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}
