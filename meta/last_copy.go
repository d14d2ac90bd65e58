package meta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
)

// maxCopyFile bounds what LastCopy reads.
const maxCopyFile = 1 << 30

// LastCopy gives the metadata as a server last kept a copy of it in dir, its
// folder for metadata. It is for tools: a cluster may have gone on since.
func LastCopy(fsys vfs.FS, dir string) (*Snapshot, error) {
	name := path.Join(dir, copyFile)
	data, err := vfs.ReadFile(fsys, name, maxCopyFile)
	if err != nil {
		return nil, fmt.Errorf("read copy of the metadata: %w", err)
	}
	b, err := decodeCopy(keyspaceOf(data), data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b.snapshot(), nil
}

// keyspaceOf finds the cluster's folder by the key that every copy begins with.
// decodeCopy makes the checks.
func keyspaceOf(data []byte) keyspace {
	_, body, _ := bytes.Cut(data, []byte("\n"))
	for lines := json.NewDecoder(bytes.NewReader(body)); lines.More(); {
		var r copyRecord
		if lines.Decode(&r) != nil {
			break
		}
		if root, ok := strings.CutSuffix(r.Key, keyspace{}.format()); ok {
			return keyspace{root: root}
		}
	}
	return newKeyspace(DefaultConfig().Cluster)
}
