package tsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const (
	currentName     = "CURRENT"
	manifestPrefix  = "MANIFEST-"
	manifestMagic   = "VARVEMAN"
	manifestVersion = 1
	manifestHeader  = len(manifestMagic) + 4
	recordHeader    = 4 + 4 // length, checksum
	// maxManifestBytes is the size at which a manifest is replaced by one with a
	// single record.
	maxManifestBytes = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// manifest is the file that says what makes up the shard. Records are appended
// and synced; a record is either in force whole or not at all. It is not safe
// for concurrent use.
type manifest struct {
	fs     vfs.FS
	dir    string
	number uint64
	file   vfs.File
	size   int     // of header and whole records
	known  durable // what DURABLE, or CURRENT of the first record, says
	failed error   // a failed append leaves the end unknown: nothing more is taken
}

func manifestName(number uint64) string { return fmt.Sprintf("%s%06d", manifestPrefix, number) }

// readManifest gives the records in force, and the manifest to append to, nil
// when there is none. A manifest that was durable beyond its whole records is of
// kind model.ErrCorrupt.
func readManifest(fsys vfs.FS, dir string, log *slog.Logger) ([]*edit, *manifest, error) {
	current, err := vfs.ReadFile(fsys, path.Join(dir, currentName), 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", currentName, err)
	}
	name := strings.TrimSuffix(string(current), "\n")
	var number uint64
	if _, err := fmt.Sscanf(name, manifestPrefix+"%d", &number); err != nil || name != manifestName(number) || number == 0 {
		return nil, nil, fmt.Errorf("read %s: %q names no manifest: %w", currentName, current, model.ErrCorrupt)
	}
	b, err := vfs.ReadFile(fsys, path.Join(dir, name), 1<<30)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	edits, whole, err := decodeManifest(b)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	known, err := readDurable(fsys, dir, log)
	if err != nil {
		return nil, nil, err
	}
	if err := known.check(number, whole); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	m := &manifest{fs: fsys, dir: dir, number: number, size: whole, known: known}
	if whole < len(b) {
		m.failed = errTornManifest
	}
	if m.file, err = fsys.OpenAppend(path.Join(dir, name)); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", name, err)
	}
	return edits, m, nil
}

// errTornManifest is why a manifest whose last record was cut off takes no
// records: the next one starts a new manifest.
var errTornManifest = errors.New("the last record is cut off")

// decodeManifest gives the records of a manifest and the bytes they take. A last record that was cut
// off was never in force; damage before the end is of kind model.ErrCorrupt.
func decodeManifest(b []byte) (edits []*edit, whole int, err error) {
	if len(b) < manifestHeader || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, 0, fmt.Errorf("not a manifest: %w", model.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[len(manifestMagic):]); v != manifestVersion {
		return nil, 0, fmt.Errorf("format %d: %w", v, model.ErrNotSupported)
	}
	size := len(b)
	for b = b[manifestHeader:]; len(b) > 0; {
		payload, ok := nextRecord(b)
		if !ok {
			for i := 1; i < len(b); i++ {
				if _, ok := nextRecord(b[i:]); ok {
					return nil, 0, fmt.Errorf("record %d: damaged: %w", len(edits), model.ErrCorrupt)
				}
			}
			break
		}
		e, err := decodeEdit(payload)
		if err != nil {
			return nil, 0, fmt.Errorf("record %d: %w", len(edits), err)
		}
		edits = append(edits, e)
		b = b[recordHeader+len(payload):]
	}
	if len(edits) == 0 {
		// CURRENT is switched to a manifest after its first record is synced.
		return nil, 0, fmt.Errorf("no whole record: %w", model.ErrCorrupt)
	}
	return edits, size - len(b), nil
}

func appendRecord(dst []byte, e *edit) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, recordHeader)...)
	dst = e.append(dst)
	payload := dst[start+recordHeader:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(payload, castagnoli))
	return dst
}

func nextRecord(b []byte) (payload []byte, ok bool) {
	if len(b) < recordHeader {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || uint64(n) > uint64(len(b)-recordHeader) {
		return nil, false
	}
	payload = b[recordHeader : recordHeader+int(n)]
	return payload, crc32.Checksum(payload, castagnoli) == binary.LittleEndian.Uint32(b[4:])
}

// createManifest starts a manifest with one record that says everything, and
// switches CURRENT to it.
func createManifest(fsys vfs.FS, dir string, number uint64, all *edit) (*manifest, error) {
	m := &manifest{fs: fsys, dir: dir, number: number}
	f, err := fsys.Create(path.Join(dir, manifestName(number)))
	if err != nil {
		return nil, fmt.Errorf("create manifest: %w", err)
	}
	b := append([]byte(manifestMagic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[len(manifestMagic):], manifestVersion)
	b = appendRecord(b, all)
	m.file, m.size, m.known = f, len(b), durable{number, len(b)}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		// The name must be durable before CURRENT says it.
		err = fsys.SyncDir(dir)
	}
	if err == nil {
		err = vfs.WriteFile(fsys, path.Join(dir, currentName), []byte(manifestName(number)+"\n"))
	}
	if err != nil {
		f.Close() // the error that matters is err
		return nil, fmt.Errorf("create manifest: %w", err)
	}
	return m, nil
}

// append makes e durable and in force. After an error m takes nothing more:
// the record may be in force after a restart, or not.
func (m *manifest) append(e *edit) error {
	if m.failed != nil {
		return m.failed
	}
	b := appendRecord(nil, e)
	if _, err := m.file.Write(b); err != nil {
		m.failed = fmt.Errorf("append to manifest: %w: %w", model.ErrReadOnly, err)
		return m.failed
	}
	m.size += len(b)
	return m.confirm()
}

// confirm makes all whole records durable, and that known outside m. Only then
// may the log be trimmed or a file be removed on the strength of them. After an
// error m takes nothing more.
func (m *manifest) confirm() error {
	d := durable{m.number, m.size}
	if m.known == d {
		return nil
	}
	err := m.file.Sync()
	if err == nil {
		// Not before the sync: what a crash may still cut off is not damage.
		err = vfs.WriteFile(m.fs, path.Join(m.dir, durableName), d.append(nil))
	}
	if err != nil {
		m.failed = fmt.Errorf("make manifest durable: %w: %w", model.ErrReadOnly, err)
		return m.failed
	}
	m.known = d
	return nil
}

func (m *manifest) close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}
