package meta

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"path"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/model"
)

const (
	copyFile   = "snapshot"
	copyHeader = "varve metadata 1 %08x\n" // with the CRC32C of what follows

	// copyInterval is the least time between two copies: the metadata of a
	// busy start changes hundreds of times a second, and an older copy does
	// no harm but that its node begins with it while etcd is away.
	copyInterval = time.Second
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// copyRecord is a line of the copy: a key and its value, or the revision.
type copyRecord struct {
	Revision int64           `json:"revision,omitempty"`
	Key      string          `json:"key,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
}

// keepCopy writes each snapshot that shows something new to disk until ctx ends,
// the last one then. kept is what is there, nil for nothing.
func (s *Store) keepCopy(ctx context.Context, kept *Snapshot) {
	var failed error
	for {
		changed := s.Changed()
		last := ctx.Err() != nil // before reading, so that the last is written
		if now := s.Snapshot(); kept == nil || now.changed != kept.changed {
			err := writeFile(s.fs, path.Join(s.dir, copyFile), encodeCopy(s.keys, now))
			if err == nil {
				kept = now
			} else if failed == nil {
				s.log.Error("cannot keep a copy of the metadata, trying again every second", "error", err)
			}
			failed = err
		}
		if last {
			return
		}
		if pace.Sleep(ctx, copyInterval) == nil && failed == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// readCopy reads the copy of the snapshot.
func (s *Store) readCopy() (*builder, error) {
	name := path.Join(s.dir, copyFile)
	data, err := readFile(s.fs, name)
	if err != nil {
		return nil, err
	}
	b, err := decodeCopy(s.keys, data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	b.next.defaultReplication = s.cfg.DefaultReplication
	if b.next.cluster.ID == "" || b.next.cluster.ID != s.identity.Cluster {
		return nil, fmt.Errorf("read %s: of cluster %q, this directory is of %q: %w", name, b.next.cluster.ID, s.identity.Cluster, model.ErrConflict)
	}
	return b, nil
}

func encodeCopy(keys keyspace, s *Snapshot) []byte {
	var body bytes.Buffer
	line := func(r copyRecord) {
		body.Write(encode(r))
		body.WriteByte('\n')
	}
	put := func(key string, record any) { line(copyRecord{Key: key, Value: encode(record)}) }

	line(copyRecord{Revision: s.revision})
	put(keys.format(), s.cluster)
	put(keys.ids(), idsRecord{Format: recordFormat, Next: s.counter.next})
	for _, n := range s.nodes {
		put(keys.node(n.ID), nodeToRecord(&n.Node))
	}
	for _, d := range s.databases {
		put(keys.database(d.UID), databaseToRecord(&d.Database))
	}
	for _, q := range s.continuous {
		put(keys.continuousQuery(q.Database, q.UID), continuousToRecord(&q.ContinuousQuery))
	}
	for _, u := range s.users {
		put(keys.user(u.UID), userToRecord(&u.User))
	}
	for _, t := range s.tokens {
		put(keys.token(t.UID), tokenToRecord(&t.Token))
	}
	for _, g := range s.groups {
		put(g.key, groupToRecord(&g.ShardGroup))
	}
	for _, g := range s.schemas {
		for _, m := range g.measurements {
			put(keys.measurement(g.group, m.name), schemaToRecord(m.fields))
		}
	}
	header := fmt.Appendf(nil, copyHeader, crc32.Checksum(body.Bytes(), castagnoli))
	return append(header, body.Bytes()...)
}

// decodeCopy reads what encodeCopy wrote. The keys get no revisions, so that
// every change waits for a fresh snapshot from etcd.
func decodeCopy(keys keyspace, data []byte) (*builder, error) {
	header, body, _ := bytes.Cut(data, []byte("\n"))
	if want := fmt.Sprintf(copyHeader, crc32.Checksum(body, castagnoli)); string(header)+"\n" != want {
		return nil, corrupt("header %.40q where %.40q is due", header, want)
	}
	b := newBuilder(keys)
	b.fromDisk = true
	for lines := json.NewDecoder(bytes.NewReader(body)); lines.More(); {
		var r copyRecord
		if err := lines.Decode(&r); err != nil {
			return nil, corrupt("%v", err)
		}
		if r.Key == "" {
			b.next.revision = r.Revision
			continue
		}
		if err := b.apply(Change{Item: Item{Key: r.Key, Value: r.Value}}); err != nil {
			return nil, err
		}
	}
	return b, nil
}
