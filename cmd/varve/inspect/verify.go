package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/varvedb/varve/tsm"
	"github.com/varvedb/varve/tsm/segment"
	"github.com/varvedb/varve/tsm/wal"
)

var verifyCommand = &command{
	name: "verify", arguments: "[-data-dir DIR] [--json] [SHARD | DIR | FILE…]",
	help: "read everything and say what is damaged\n" +
		"Checks the manifest, every checksum, every block, the index and the log of all shards, or of those that are named\n" +
		"by number or directory, or single .seg and .wal files. The exit code is 1 when there is damage.",
	setup: func(s *session) func(context.Context) error {
		json := s.flags.Bool("json", false, "print JSON")
		return func(ctx context.Context) error { return s.verify(ctx, *json) }
	},
}

// damage is a finding, for scripts.
type damage struct {
	File   string `json:"file,omitempty"`
	Part   string `json:"part,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	Error  string `json:"error"`
}

// verified is what came of verifying a shard.
type verified struct {
	*shard
	Files      int      `json:"files"`
	Bytes      int64    `json:"bytes"`
	Rows       int64    `json:"rows"`
	Series     int      `json:"series"`
	LogFiles   int      `json:"log_files"`
	LogBytes   int64    `json:"log_bytes"`
	LogBatches int64    `json:"log_batches"`
	TornBytes  int64    `json:"torn_bytes,omitempty"`
	Unused     int      `json:"unused_files,omitempty"`
	Damage     []damage `json:"damage"`

	text []string // of Damage
	more int      // that was found beyond maxDamage
}

// maxDamage bounds what is told of one shard.
const maxDamage = 1000

func (s *session) verify(ctx context.Context, json bool) error {
	all := []*verified{}
	bad := 0
	done := func(v *verified) {
		if len(v.Damage) > 0 {
			bad++
		}
		if json {
			all = append(all, v)
			return
		}
		s.printVerified(v)
	}
	var dirs []string
	for _, arg := range s.args {
		switch path.Ext(arg) {
		case ".seg", ".wal":
			v, err := s.verifyFile(filepath.ToSlash(arg))
			if err != nil {
				return err
			}
			done(v)
		default:
			dirs = append(dirs, arg)
		}
	}
	if len(dirs) > 0 || len(s.args) == 0 {
		p, err := s.find(dirs)
		if err != nil {
			return err
		}
		for _, sh := range p.shards {
			if err := ctx.Err(); err != nil {
				return err
			}
			v, err := s.verifyShard(p, sh)
			if errors.Is(err, fs.ErrNotExist) && p.live {
				continue // dropped meanwhile
			}
			if err != nil {
				return err
			}
			done(v)
		}
		if !json {
			fmt.Fprintf(s.out, "%d shards, %d damaged\n", len(p.shards), bad)
		}
	}
	if json {
		if err := s.printJSON(all); err != nil {
			return err
		}
	}
	if bad > 0 {
		return errDamage
	}
	return nil
}

// liveAttempts is how often a shard is looked at when a server changes it
// meanwhile: what is damaged is so each time.
const liveAttempts = 4

func (s *session) verifyShard(p *place, sh *shard) (v *verified, err error) {
	for attempt := range liveAttempts {
		v = &verified{shard: sh, Damage: []damage{}}
		in, err := tsm.Inspect(s.fs, sh.Dir, v.add)
		if err != nil {
			return nil, err
		}
		v.Files, v.Bytes, v.Rows, v.Series = in.Files, in.Bytes, in.Rows, in.Series
		v.LogFiles, v.LogBytes, v.LogBatches = in.LogFiles, in.LogBytes, in.LogBatches
		v.TornBytes, v.Unused = in.TornBytes, in.Unused
		if len(v.Damage) == 0 || !p.live {
			break
		}
		time.Sleep(time.Duration(attempt) * 200 * time.Millisecond)
	}
	return v, nil
}

func (v *verified) add(f tsm.Finding) {
	if len(v.Damage) == maxDamage {
		v.more++
		return
	}
	v.Damage = append(v.Damage, damage{File: f.File, Part: f.Part, Offset: f.Offset, Error: f.Err.Error()})
	v.text = append(v.text, f.String())
}

// verifyFile checks a file by itself.
func (s *session) verifyFile(name string) (*verified, error) {
	v := &verified{shard: &shard{Dir: name}, Damage: []damage{}}
	bad := func(part string, at int64, err error) {
		v.add(tsm.Finding{File: path.Base(name), Part: part, Offset: at, Err: err})
	}
	if path.Ext(name) == ".wal" {
		in, err := wal.Inspect(s.fs, name, func(r wal.Record) error {
			if r.Batch != nil {
				v.LogBatches++
			}
			if r.Err != nil {
				bad(fmt.Sprintf("%d bytes", r.Bytes), r.Offset, r.Err)
			}
			return nil
		})
		v.LogFiles, v.LogBytes, v.TornBytes = 1, in.Bytes, in.Torn
		return v, s.note(err, bad)
	}
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := segment.Open(f)
	if err != nil {
		return v, s.note(err, bad)
	}
	defer r.Close()
	m := r.Meta()
	v.Files, v.Bytes, v.Rows, v.Series = 1, m.Size, m.Rows, int(m.Series)
	tsm.InspectSegments(path.Base(name), r, v.add)
	return v, nil
}

// note takes an error of a file that is damaged as found, others as they are.
func (s *session) note(err error, bad func(string, int64, error)) error {
	if isDamage(err) {
		bad("", 0, err)
		return nil
	}
	return err
}

func (s *session) printVerified(v *verified) {
	state := "ok"
	if n := len(v.Damage) + v.more; n > 0 {
		state = fmt.Sprintf("DAMAGED in %d places", n)
		if n == 1 {
			state = "DAMAGED in 1 place"
		}
	}
	fmt.Fprintf(s.out, "%s: %d files of %s, %d rows, %d series; log %s, %d batches", v.name(), v.Files, size(v.Bytes), v.Rows, v.Series, size(v.LogBytes), v.LogBatches)
	if v.TornBytes > 0 {
		fmt.Fprintf(s.out, ", %d bytes at its end that were not acknowledged", v.TornBytes)
	}
	if v.Unused > 0 {
		fmt.Fprintf(s.out, ", %d files not in use", v.Unused)
	}
	fmt.Fprintf(s.out, ": %s\n", state)
	for _, text := range v.text {
		fmt.Fprintf(s.out, "  %s\n", text)
	}
	if v.more > 0 {
		fmt.Fprintf(s.out, "  and %d more\n", v.more)
	}
}
