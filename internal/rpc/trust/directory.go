package trust

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"path/filepath"

	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Directory is the folder in which a node keeps what the cluster gave it.
//
//	authority.crt  of the cluster
//	authority.key  in nodes that run the metadata
//	node.crt       of this node, followed by the authority's
//	node.key
type Directory struct {
	fs   vfs.FS
	path string
}

// maxFile bounds each file.
const maxFile = 64 << 10

// NewDirectory gives the folder at a path, which it makes when something is
// kept.
func NewDirectory(fs vfs.FS, path string) *Directory { return &Directory{fs, path} }

// Files gives where the certificate of this node is.
func (d *Directory) Files() certificate.Files {
	at := func(name string) string { return filepath.FromSlash(path.Join(d.path, name)) }
	return certificate.Files{Certificate: at("node.crt"), Key: at("node.key"), Authority: at("authority.crt")}
}

// Authority reads the authority with its key; nil where this node has none.
func (d *Directory) Authority() (*Authority, error) {
	key, err := d.read("authority.key")
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, err := d.read("authority.crt")
	if err != nil {
		return nil, err
	}
	return ParseAuthority(cert, key)
}

// Fingerprint gives that of the authority of this node's certificate.
func (d *Directory) Fingerprint() (sum [sha256.Size]byte, err error) {
	b, err := d.read("authority.crt")
	if err != nil {
		return sum, err
	}
	cert, err := parseCertificate(b)
	if err != nil {
		return sum, err
	}
	return sha256.Sum256(cert.Raw), nil
}

// KeepAuthority keeps the authority and its key.
func (d *Directory) KeepAuthority(a *Authority) error {
	key, err := a.Key()
	if err != nil {
		return err
	}
	if err := d.write("authority.crt", a.Certificate()); err != nil {
		return err
	}
	return d.write("authority.key", key)
}

// Key reads the key of this node, or makes it.
func (d *Directory) Key() (*ecdsa.PrivateKey, error) {
	b, err := d.read("node.key")
	if err == nil {
		return parseKey(b)
	}
	if !errors.Is(err, iofs.ErrNotExist) {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	if b, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, d.write("node.key", b)
}

// Joined reports whether this node has a certificate.
func (d *Directory) Joined() (bool, error) {
	_, err := d.read("node.crt")
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Keep keeps a certificate of this node, in PEM, and that of the authority.
func (d *Directory) Keep(certificate, authority []byte) error {
	if _, err := parseCertificate(authority); err != nil {
		return fmt.Errorf("keep authority: %w", err)
	}
	if err := d.write("authority.crt", authority); err != nil {
		return err
	}
	return d.KeepCertificate(certificate)
}

// KeepCertificate keeps another certificate of this node, in PEM.
func (d *Directory) KeepCertificate(certificate []byte) error {
	if _, err := parseCertificate(certificate); err != nil {
		return fmt.Errorf("keep certificate: %w", err)
	}
	return d.write("node.crt", certificate)
}

func (d *Directory) read(name string) ([]byte, error) {
	b, err := vfs.ReadFile(d.fs, path.Join(d.path, name), maxFile)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Join(d.path, name), err)
	}
	return b, nil
}

// write replaces a file in one step. Only the owner of the process reads it.
func (d *Directory) write(name string, b []byte) error {
	if len(b) > maxFile {
		return fmt.Errorf("write %s: %d bytes: %w", name, len(b), model.ErrTooLarge)
	}
	if err := vfs.MkdirAll(d.fs, d.path); err != nil {
		return err
	}
	return vfs.WriteFile(d.fs, path.Join(d.path, name), b)
}
