package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/varvedb/varve/test/harness"
)

const composeFile = "../../docker/compose-cluster.yaml"

// composeService is what the test reads of a service.
type composeService struct {
	Hostname    string
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Build       struct{ Context, Dockerfile string }
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
}

func readCompose(t *testing.T) map[string]composeService {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	var compose struct{ Services map[string]composeService }
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	return compose.Services
}

func TestComposeFileFits(t *testing.T) {
	help, err := exec.Command(binaries.varved, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	published := make(map[string]string)
	nodes := 0
	for name, s := range readCompose(t) {
		for _, arg := range s.Command {
			if strings.HasPrefix(arg, "--") && !strings.Contains(string(help), arg+" ") {
				t.Errorf("%s: varved has no flag %s", name, arg)
			}
		}
		for _, p := range s.Ports {
			outer := p[:strings.LastIndexByte(p, ':')]
			if !strings.HasPrefix(outer, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond loopback", name, p)
			}
			if other, taken := published[outer]; taken {
				t.Errorf("%s and %s publish %s", name, other, outer)
			}
			published[outer] = name
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, ".") {
				if _, err := os.Stat(filepath.Join(filepath.Dir(composeFile), from)); err != nil {
					t.Errorf("%s mounts %s: %v", name, from, err)
				}
			}
		}
		if s.Build.Dockerfile != "" {
			nodes++
			if _, err := os.Stat(filepath.Join(filepath.Dir(composeFile), s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !slices.Contains(s.Command, name) || s.Hostname != name {
				t.Errorf("%s: its node name or host name is another", name)
			}
		}
	}
	if nodes != 3 {
		t.Errorf("%d nodes, want 3", nodes)
	}
}

// TestComposeFileMakesACluster starts the command lines of the file as processes
// in a network of their own, with addresses in the place of names.
func TestComposeFileMakesACluster(t *testing.T) {
	network := harness.NewNetwork(t)
	c := harness.NewClusterIn(t, binaries.varved, network)
	services := readCompose(t)
	t.Setenv("VARVE_JOIN_TOKEN", strings.Repeat("a secret of the test ", 2))
	var hosts []string
	for _, name := range []string{"n1", "n2", "n3"} {
		n := c.Add()
		hosts = append(hosts, name+":", n.Host+":")
	}
	names := strings.NewReplacer(hosts...)
	for i, n := range c.Nodes {
		var args []string
		for _, arg := range services[fmt.Sprintf("n%d", i+1)].Command {
			if arg == "/var/lib/varve" {
				arg = n.Dir
			}
			args = append(args, names.Replace(arg))
		}
		if err := n.StartWith(args); err != nil {
			t.Fatal(err)
		}
		n.URL = "http://" + n.Host + ":8086" // it says localhost, of its own namespace
	}
	create(t, c, 0)
	for i, n := range c.Nodes {
		if err := n.Write("db", fmt.Sprintf("m,host=h%d v=1", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		eventually(t, 10*time.Second, func() error {
			rows, err := n.Query("db", "SELECT v FROM m")
			if err == nil && len(rows) != 3 {
				err = fmt.Errorf("%s has %v", n.Name, rows)
			}
			return err
		})
	}
}
