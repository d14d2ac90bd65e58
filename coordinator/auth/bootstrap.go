package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"sync/atomic"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
)

// bootstrapFile is where the token is put, readable by the server's user only.
const bootstrapFile = "bootstrap-token"

// Bootstrap lets the first administrator be made by somebody who can read the data
// directory but not send requests from this machine, as with a container: a token in
// a file, of this node and this run of it, which is void as soon as there is an
// administrator.
type Bootstrap struct {
	store *meta.Store
	fs    vfs.FS
	dir   string
	log   *slog.Logger

	token atomic.Pointer[string] // nil: none is taken
}

// NewBootstrap gives a Bootstrap that puts its file into dir.
func NewBootstrap(store *meta.Store, fs vfs.FS, dir string, log *slog.Logger) *Bootstrap {
	return &Bootstrap{store: store, fs: fs, dir: dir, log: log}
}

// Run offers a token for as long as there is no administrator, until ctx ends.
func (b *Bootstrap) Run(ctx context.Context) {
	defer b.withdraw()
	file := true // perhaps there is one of an earlier run
	for {
		changed := b.store.Changed()
		switch admin := b.store.Snapshot().HasAdmin(); {
		case admin && file:
			b.withdraw()
			file = false
		case !admin && b.token.Load() == nil:
			file = true
			if err := b.offer(); err != nil {
				b.log.Warn("cannot write the token for the first administrator, he can be created from this machine only", "error", err)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (b *Bootstrap) file() string { return path.Join(b.dir, bootstrapFile) }

// offer makes a token and puts it into the file.
func (b *Bootstrap) offer() error {
	random := make([]byte, 32)
	rand.Read(random)
	token := tokenPrefix + "bootstrap_" + base64.RawURLEncoding.EncodeToString(random)
	if err := b.remove(); err != nil { // made anew: the one there may be readable by others
		return err
	}
	f, err := b.fs.Create(b.file())
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(token + "\n"))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	b.token.Store(&token)
	b.log.Info("there is no administrator: create one from this machine, or with the token in this file", "file", b.file())
	return nil
}

// withdraw makes the token void and removes the file, if there are any.
func (b *Bootstrap) withdraw() {
	b.token.Store(nil)
	if err := b.remove(); err != nil {
		b.log.Warn("cannot remove the token for the first administrator, which is void", "file", b.file(), "error", err)
	}
}

func (b *Bootstrap) remove() error {
	if err := b.fs.Remove(b.file()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// is reports whether text is the token.
func (b *Bootstrap) is(text string) bool {
	token := b.token.Load()
	return token != nil && subtle.ConstantTimeCompare([]byte(*token), []byte(text)) == 1
}
