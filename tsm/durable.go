package tsm

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const durableName = "DURABLE"

// durable says up to which size a manifest is durable. It is kept in a file of
// its own: of the manifest alone, a last record that a crash cut off, never in
// force, looks like one that was damaged after files were removed and the log
// was trimmed on the strength of it. The zero value says nothing.
type durable struct {
	number uint64
	size   int
}

func (d durable) append(dst []byte) []byte {
	start := len(dst)
	dst = fmt.Appendf(dst, "%s %d ", manifestName(d.number), d.size)
	return fmt.Appendf(dst, "%08x\n", crc32.Checksum(dst[start:], castagnoli))
}

func decodeDurable(b []byte) (durable, error) {
	var d durable
	var sum uint32
	_, err := fmt.Sscanf(string(b), manifestPrefix+"%d %d %x", &d.number, &d.size, &sum)
	if err != nil || !bytes.Equal(d.append(nil), b) {
		return durable{}, fmt.Errorf("%.64q: %w", b, model.ErrCorrupt)
	}
	return d, nil
}

// readDurable gives the zero value when there is no file, as in a directory
// without a flush since there are such files, and when it is damaged, which is
// logged: a shard can do without, unless its manifest is damaged, too.
func readDurable(fsys vfs.FS, dir string, log *slog.Logger) (durable, error) {
	b, err := vfs.ReadFile(fsys, path.Join(dir, durableName), 1<<10)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return durable{}, nil
	case isShortage(err):
		return durable{}, fmt.Errorf("read %s: %w: %w", durableName, model.ErrUnavailable, err)
	}
	var d durable
	if err == nil {
		d, err = decodeDurable(b)
	}
	if err != nil {
		log.Error("damaged file, the end of the manifest cannot be checked", "dir", dir, "file", durableName, "err", err)
	}
	return d, nil
}

// check finds it corrupt that, of what was durable, the manifest of this number
// has only size bytes. One with a higher number came later: CURRENT was switched
// to it when its first record was durable.
func (d durable) check(number uint64, size int) error {
	switch {
	case d.number > number:
		return fmt.Errorf("%s was in force after it: %w", manifestName(d.number), model.ErrCorrupt)
	case d.number == number && d.size > size:
		return fmt.Errorf("%d bytes are whole of %d that were durable: %w", size, d.size, model.ErrCorrupt)
	}
	return nil
}
