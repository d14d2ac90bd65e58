package config

import (
	"errors"
	"io/fs"

	"github.com/varvedb/varve/internal/certificate"
)

// HTTPS is how HTTP is secured.
type HTTPS struct {
	Enabled bool
	Files   certificate.Files // Authority is that of clients, who must have a certificate where it is set
	Serving certificate.Serving
}

func (h *HTTPS) check() error {
	switch {
	case !h.Enabled:
		return nil
	case h.Files.Certificate == "":
		return errors.New("http-https-enabled: http-https-certificate or tls-certificate must be set")
	case h.Serving.MaxVersion != 0 && h.Serving.MaxVersion < h.Serving.MinVersion:
		return errors.New("tls-max-version is older than tls-min-version")
	}
	return nil
}

// Socket is the Unix socket on which HTTP is answered, too.
type Socket struct {
	Enabled bool
	Path    string
	Mode    fs.FileMode
	Group   string // name or number; "": the server's
}
