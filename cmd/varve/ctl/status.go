package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var statusCommand = &command{
	name: "status",
	help: "show on one screen how the cluster is: nodes, disk, shards, moves\n" +
		"The exit code is 1 when something is wrong: what is, is listed at the end.",
	setup: func(s *session) func(context.Context) error { return s.status },
}

// maxLines bounds what of a list fits on a screen.
const maxLines = 10

func (s *session) status(ctx context.Context) error {
	var st adminapi.Status
	if err := s.get(ctx, "/status", &st); err != nil {
		return err
	}
	if s.json {
		if err := s.printJSON(st); err != nil {
			return err
		}
	} else {
		s.printStatus(&st)
	}
	if len(st.Problems) > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (s *session) printStatus(st *adminapi.Status) {
	meta := "available"
	if !st.MetaAvailable {
		meta = "NOT AVAILABLE"
	}
	fmt.Fprintf(s.out, "Cluster %s, metadata %s\n%d shard groups, %d shards, %d replicas\n\n", st.Cluster, meta, st.Groups, st.Shards, st.Replicas)
	s.printNodes(st.Nodes)
	s.printCertificates(st.Nodes)
	if n := len(st.Weak); n > 0 {
		s.list("Shards with too few owners", n, func(i int) string {
			sh := &st.Weak[i]
			return fmt.Sprintf("shard %d of %s.%s: wants %d, has %s", sh.ID, sh.Database, sh.Policy, sh.Wanted, owners(sh))
		})
	}
	if n := len(st.Behind); n > 0 {
		s.list("Replicas that are behind", n, func(i int) string {
			b := &st.Behind[i]
			return strings.TrimSpace(fmt.Sprintf("shard %d on %s: %d batches, last met %v ago %s", b.Shard, b.Node, b.Batches, b.Age.Round(100*time.Millisecond), b.Doing))
		})
	}
	if n := len(st.Moves); n > 0 {
		s.list("Moves", n, func(i int) string { return moveLine(&st.Moves[i]) })
	}
	if r := st.Rebalance; r != nil {
		fmt.Fprintf(s.out, "\nRebalance: round %d, %d of %d moves done\n", r.Round, r.Done, len(r.Moves))
	}
	fmt.Fprintln(s.out)
	if len(st.Problems) == 0 {
		fmt.Fprintln(s.out, "All is well.")
		return
	}
	for _, p := range st.Problems {
		fmt.Fprintf(s.out, "PROBLEM: %s\n", p)
	}
}

// printCertificates prints when those of the nodes expire.
func (s *session) printCertificates(nodes []adminapi.Node) {
	var lines []string
	for i := range nodes {
		for _, c := range nodes[i].Certificates {
			lines = append(lines, fmt.Sprintf("%s for %s: expires %s, in %d days", nodes[i].Name, c.Use, c.Expires.Format(time.DateOnly), int(time.Until(c.Expires).Hours()/24)))
		}
	}
	if len(lines) > 0 {
		s.list("Certificates", len(lines), func(i int) string { return lines[i] })
	}
}

// list prints the first lines of a list.
func (s *session) list(title string, n int, line func(i int) string) {
	fmt.Fprintf(s.out, "\n%s (%d)\n", title, n)
	for i := range min(n, maxLines) {
		fmt.Fprintf(s.out, "  %s\n", line(i))
	}
	if n > maxLines {
		fmt.Fprintf(s.out, "  and %d more\n", n-maxLines)
	}
}

func moveLine(m *adminapi.Move) string {
	way := fmt.Sprintf("from %s to %s", m.From, m.To)
	switch {
	case m.From == "":
		way = "to " + m.To
	case m.To == "":
		way = "off " + m.From
	}
	line := fmt.Sprintf("shard %d %s (%s)", m.Shard, way, m.Why)
	if m.Total > 0 && m.To != "" {
		line += fmt.Sprintf(", %s of %s", size(m.Current), size(m.Total))
	}
	if m.Doing != "" {
		line += ", " + m.Doing
	}
	return line
}
