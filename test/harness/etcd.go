package harness

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Etcd is one member of a real etcd.
type Etcd struct {
	Endpoint string

	t    testing.TB
	cmd  *exec.Cmd
	args []string
	log  *tail
}

// StartEtcds compiles etcd and starts members that form one etcd on addresses
// of loopback, for t.
func StartEtcds(t testing.TB, members int) []*Etcd {
	t.Helper()
	binary := t.TempDir() + "/etcd"
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/varvedb/varve/test/cluster/etcd").CombinedOutput(); err != nil {
		t.Fatalf("build etcd: %v\n%s", err, out)
	}
	number := os.Getpid()*8 + int(clusters.Add(1))
	var cluster []string
	host := func(i int) string { return fmt.Sprintf("127.%d.%d.%d", 1+number>>8&0x7f, number&0xff, i+1) }
	for i := range members {
		cluster = append(cluster, fmt.Sprintf("e%d=http://%s:2380", i, host(i)))
	}
	var all []*Etcd
	for i := range members {
		client, peer := "http://"+host(i)+":2379", "http://"+host(i)+":2380"
		e := &Etcd{Endpoint: client, t: t, log: &tail{}, args: []string{
			binary, "--name", fmt.Sprintf("e%d", i), "--data-dir", t.TempDir(), "--log-level", "error",
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(cluster, ","),
		}}
		all = append(all, e)
		t.Cleanup(e.Stop)
		e.Start()
	}
	for _, e := range all {
		e.await()
	}
	return all
}

// Start starts a member that is stopped.
func (e *Etcd) Start() {
	e.t.Helper()
	e.cmd = exec.Command(e.args[0], e.args[1:]...)
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// await waits until the member answers as one of a quorum.
func (e *Etcd) await() {
	e.t.Helper()
	for end := time.Now().Add(readyTimeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(e.Endpoint + "/health")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	e.t.Fatalf("etcd at %s does not answer:\n%s", e.Endpoint, e.log)
}

// Stop ends the member at once.
func (e *Etcd) Stop() {
	if e.cmd == nil {
		return
	}
	if err := e.cmd.Process.Signal(syscall.SIGKILL); err == nil || !errors.Is(err, os.ErrProcessDone) {
		_ = e.cmd.Wait() // killed
	}
	e.cmd = nil
}
