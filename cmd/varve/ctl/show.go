package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var showCommand = &command{
	name: "show", help: "show the members of the cluster",
	setup: func(s *session) func(context.Context) error { return s.show },
}

func (s *session) show(ctx context.Context) error {
	var nodes []adminapi.Node
	if err := s.get(ctx, "/nodes", &nodes); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(nodes)
	}
	s.title("Data Nodes")
	t := newTable(s.out)
	fmt.Fprintln(t, "ID\tTCP Address\tHTTP Address\tVersion\tLabels\tPassive\tName\tState")
	for _, n := range nodes {
		if n.Has("data") || n.Has("coordinator") {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%v\t%s\t%s\n", n.ID, n.RPC, n.HTTP, n.Version, labels(n.Labels), !n.Has("data"), n.Name, stateOf(&n))
		}
	}
	t.Flush()
	fmt.Fprintln(s.out)
	s.title("Meta Nodes")
	fmt.Fprintln(t, "ID\tRaft Address\tHTTP Address\tVersion\tLabels\tName\tState")
	for _, n := range nodes {
		if n.Has("meta") {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, n.MetaPeer, n.HTTP, n.Version, labels(n.Labels), n.Name, stateOf(&n))
		}
	}
	return t.Flush()
}

// labels prints labels as a JSON object, as influxd-ctl does.
func labels(l map[string]string) string {
	parts := make([]string, 0, len(l))
	for _, k := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%q:%q", k, l[k]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// stateOf gives the state of a node in a word.
func stateOf(n *adminapi.Node) string {
	switch {
	case !n.Alive:
		return "away"
	case n.Draining && n.Shards == 0:
		return "drained"
	case n.Draining:
		return "draining"
	case n.Error != "":
		return "silent"
	}
	return "ok"
}

var showShardsCommand = &command{
	name: "show-shards", arguments: "[-v] [-m]",
	help: "show the shards and their owners",
	setup: func(s *session) func(context.Context) error {
		verbose := s.flags.Bool("v", false, "a line for each owner: its state, size, and how far it is behind")
		wrong := s.flags.Bool("m", false, "only shards with an owner that is away, behind, damaged or missing")
		return func(ctx context.Context) error { return s.showShards(ctx, *verbose, *wrong) }
	},
}

func (s *session) showShards(ctx context.Context, verbose, wrong bool) error {
	shards := []adminapi.Shard{}
	if err := s.get(ctx, "/shards", &shards); err != nil {
		return err
	}
	if wrong {
		shards = slices.DeleteFunc(shards, func(sh adminapi.Shard) bool { return healthy(&sh) })
	}
	if s.json {
		return s.printJSON(shards)
	}
	s.title("Shards")
	t := newTable(s.out)
	if verbose {
		fmt.Fprintln(t, "ID\tDatabase\tRetention Policy\tStart\tEnd\tNode\tState\tIn Sync\tBehind\tSize\tDoing")
	} else {
		fmt.Fprintln(t, "ID\tDatabase\tRetention Policy\tDesired Replicas\tShard Group\tStart\tEnd\tExpires\tOwners")
	}
	for _, sh := range shards {
		if !verbose {
			fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", sh.ID, sh.Database, sh.Policy, sh.Wanted, sh.Group,
				moment(sh.Start), moment(sh.End), moment(sh.Expires), owners(&sh))
			continue
		}
		for _, o := range sh.Owners {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", sh.ID, sh.Database, sh.Policy,
				moment(sh.Start), moment(sh.End), o.Name, o.State, inSync(&o), o.Behind, size(o.Bytes), doing(&o))
		}
	}
	return t.Flush()
}

func healthy(sh *adminapi.Shard) bool {
	active := 0
	for _, o := range sh.Owners {
		if !o.Alive || !o.Known || !o.InSync && len(sh.Owners) > 1 || o.Damage != "" || o.State == "rebuild" {
			return false
		}
		if o.State == "active" {
			active++
		}
	}
	return active >= sh.Wanted
}

func owners(sh *adminapi.Shard) string {
	parts := make([]string, len(sh.Owners))
	for i, o := range sh.Owners {
		text := fmt.Sprintf("{%d %s", o.Node, o.Name)
		if o.State != "active" {
			text += " " + o.State
		}
		if !o.Alive {
			text += " away"
		}
		parts[i] = text + "}"
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func inSync(o *adminapi.Owner) string {
	switch {
	case !o.Alive:
		return "away"
	case !o.Known:
		return "unknown"
	case o.InSync:
		return "yes"
	}
	return "no"
}

func doing(o *adminapi.Owner) string {
	if o.Damage != "" {
		return "damaged: " + o.Damage
	}
	return o.Doing
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
