package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/rpc/trust"
)

// certificates is those that this node shows to others.
type certificates struct {
	http *certificate.Live // nil: HTTP is plain
	all  []watched
}

type watched struct {
	use  string // http, rpc or etcd
	live *certificate.Live
}

// list gives when they expire.
func (c *certificates) list() (out []adminapi.Certificate) {
	for _, w := range c.all {
		out = append(out, adminapi.Certificate{Use: w.use, File: w.live.Files().Certificate, Expires: w.live.Expires()})
	}
	return out
}

// openHTTPS reads the certificate of HTTP.
func (s *server) openHTTPS() (err error) {
	if !s.cfg.HTTPS.Enabled {
		return nil
	}
	if s.certificates.http, err = certificate.Open(s.cfg.HTTPS.Files, s.cfg.HTTPS.Serving.Config, s.log); err != nil {
		return fmt.Errorf("http-https-certificate: %w", err)
	}
	return s.watch(s.certificates.http, "http")
}

// watchCertificates follows the certificates for other nodes and for an etcd
// that is not ours.
func (s *server) watchCertificates() error {
	if s.security.keyring != nil {
		if err := s.watch(s.security.keyring.Live, "rpc"); err != nil {
			return err
		}
	}
	live, err := openEtcdCertificate(&s.cfg, s.log)
	if live == nil || err != nil {
		return err
	}
	return s.watch(live, "etcd")
}

// openEtcdCertificate reads the certificate for an etcd that is not ours; nil
// where there is none. etcd's client reads the files itself: this one only says
// when they expire.
func openEtcdCertificate(cfg *config.Config, log *slog.Logger) (*certificate.Live, error) {
	t := cfg.Etcd.TLS
	if !cfg.External() || t.CertFile == "" {
		return nil, nil
	}
	live, err := certificate.Open(certificate.Files{Certificate: t.CertFile, Key: t.KeyFile}, cfg.HTTPS.Serving.Config, log)
	if err != nil {
		return nil, fmt.Errorf("etcd-tls-certificate: %w", err)
	}
	return live, nil
}

func (s *server) watch(live *certificate.Live, use string) error {
	if err := live.Register(s.registry, use); err != nil {
		return err
	}
	s.certificates.all = append(s.certificates.all, watched{use, live})
	s.background("certificate for "+use, func(ctx context.Context) { live.Watch(ctx, use) })
	return nil
}

// checkFiles reads the certificates and the files of listeners that a
// configuration names.
func checkFiles(cfg *config.Config) error {
	log := slog.New(slog.DiscardHandler)
	if cfg.HTTPS.Enabled {
		if _, err := certificate.Open(cfg.HTTPS.Files, cfg.HTTPS.Serving.Config, log); err != nil {
			return fmt.Errorf("http-https-certificate: %w", err)
		}
	}
	if cfg.OwnCertificates() {
		if _, err := trust.Open(cfg.TLS, log); err != nil {
			return fmt.Errorf("tls-certificate: %w", err)
		}
	}
	if _, err := openEtcdCertificate(cfg, log); err != nil {
		return err
	}
	return cfg.Listeners.CheckFiles()
}
