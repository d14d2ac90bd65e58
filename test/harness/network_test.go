package harness

import (
	"os/exec"
	"testing"
)

func TestNetworkIsCutInOneDirection(t *testing.T) {
	w := NewNetwork(t)
	c := NewClusterIn(t, "", w)
	a, b := c.Add(), c.Add()
	reaches := func(from, to *Node) bool {
		// Connection refused is an answer, silence is not.
		err := w.command(from.Host, exec.Command("timeout", "0.3", "bash", "-c", "exec 3<>/dev/tcp/"+to.Host+"/9")).Run()
		exit, ok := err.(*exec.ExitError)
		return ok && exit.ExitCode() == 1
	}
	if !reaches(a, b) || !reaches(b, a) {
		t.Fatal("the nodes do not reach each other")
	}
	// Answers go the way that is cut, so neither gets one; what arrives differs.
	w.Cut(a, b)
	if reaches(a, b) || reaches(b, a) {
		t.Error("the cut lets all pass")
	}
	w.Heal()
	if !reaches(a, b) || !reaches(b, a) {
		t.Error("the nodes do not reach each other again")
	}
}
