package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/varvedb/varve/coordinator/ingest/collectd"
	"github.com/varvedb/varve/coordinator/ingest/graphite"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/model/lineprotocol"
)

// complete gives u with the defaults for what is 0 or empty.
func (u UDP) complete() UDP {
	d := DefaultUDP()
	u.BindAddress = cmp.Or(u.BindAddress, d.BindAddress)
	u.Database = cmp.Or(u.Database, d.Database)
	u.BatchSize = cmp.Or(u.BatchSize, d.BatchSize)
	u.BatchPending = cmp.Or(u.BatchPending, d.BatchPending)
	u.BatchTimeout = cmp.Or(u.BatchTimeout, d.BatchTimeout)
	u.Precision = cmp.Or(u.Precision, d.Precision)
	return u
}

func (u UDP) target() target {
	return target{
		kind: "udp", address: u.BindAddress, database: u.Database, policy: u.RetentionPolicy, consistency: u.ConsistencyLevel,
		size: u.BatchSize, pending: u.BatchPending, timeout: u.BatchTimeout,
	}
}

func (u UDP) validate() error {
	if _, err := lineprotocol.ParsePrecision(u.Precision); err != nil {
		return err
	}
	if u.ReadBuffer < 0 {
		return errors.New("read-buffer: below 0")
	}
	to := u.target()
	return to.validate()
}

// complete gives g with the defaults for what is 0 or empty.
func (g Graphite) complete() Graphite {
	d := DefaultGraphite()
	g.BindAddress = cmp.Or(g.BindAddress, d.BindAddress)
	g.Database = cmp.Or(g.Database, d.Database)
	g.Protocol = cmp.Or(g.Protocol, d.Protocol)
	g.BatchSize = cmp.Or(g.BatchSize, d.BatchSize)
	g.BatchPending = cmp.Or(g.BatchPending, d.BatchPending)
	g.BatchTimeout = cmp.Or(g.BatchTimeout, d.BatchTimeout)
	g.Separator = cmp.Or(g.Separator, d.Separator)
	g.MaxConnectionLimit = cmp.Or(g.MaxConnectionLimit, d.MaxConnectionLimit)
	return g
}

func (g Graphite) target() target {
	return target{
		kind: "graphite", address: g.BindAddress, database: g.Database, policy: g.RetentionPolicy, consistency: g.ConsistencyLevel,
		size: g.BatchSize, pending: g.BatchPending, timeout: g.BatchTimeout,
	}
}

func (g Graphite) validate() error {
	switch {
	case g.Protocol != "tcp" && g.Protocol != "udp":
		return fmt.Errorf("protocol %q: not one of tcp, udp", g.Protocol)
	case g.UDPReadBuffer < 0:
		return errors.New("udp-read-buffer: below 0")
	case g.MaxConnectionLimit < 0:
		return errors.New("max-connection-limit: below 0")
	}
	if _, err := g.parser(); err != nil {
		return err
	}
	to := g.target()
	return to.validate()
}

// parser gives what reads the listener's lines.
func (g Graphite) parser() (*graphite.Parser, error) {
	return graphite.NewParser(g.Templates, g.Tags, g.Separator)
}

// complete gives o with the defaults for what is 0 or empty.
func (o OpenTSDB) complete() OpenTSDB {
	d := DefaultOpenTSDB()
	o.BindAddress = cmp.Or(o.BindAddress, d.BindAddress)
	o.Database = cmp.Or(o.Database, d.Database)
	o.Certificate = cmp.Or(o.Certificate, d.Certificate)
	o.BatchSize = cmp.Or(o.BatchSize, d.BatchSize)
	o.BatchPending = cmp.Or(o.BatchPending, d.BatchPending)
	o.BatchTimeout = cmp.Or(o.BatchTimeout, d.BatchTimeout)
	o.MaxConnectionLimit = cmp.Or(o.MaxConnectionLimit, d.MaxConnectionLimit)
	return o
}

func (o OpenTSDB) target() target {
	return target{
		kind: "opentsdb", address: o.BindAddress, database: o.Database, policy: o.RetentionPolicy, consistency: o.ConsistencyLevel,
		size: o.BatchSize, pending: o.BatchPending, timeout: o.BatchTimeout,
	}
}

func (o OpenTSDB) validate() error {
	if o.MaxConnectionLimit < 0 {
		return errors.New("max-connection-limit: below 0")
	}
	to := o.target()
	return to.validate()
}

// live reads the listener's certificate; nil where it has none.
func (o OpenTSDB) live(serving certificate.Serving, log *slog.Logger) (*certificate.Live, error) {
	if !o.TLSEnabled {
		return nil, nil
	}
	live, err := certificate.Open(certificate.Files{Certificate: o.Certificate}, serving.Config, log)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return live, nil
}

// complete gives c with the defaults for what is 0 or empty.
func (c Collectd) complete() Collectd {
	d := DefaultCollectd()
	c.BindAddress = cmp.Or(c.BindAddress, d.BindAddress)
	c.Database = cmp.Or(c.Database, d.Database)
	c.BatchSize = cmp.Or(c.BatchSize, d.BatchSize)
	c.BatchPending = cmp.Or(c.BatchPending, d.BatchPending)
	c.BatchTimeout = cmp.Or(c.BatchTimeout, d.BatchTimeout)
	c.TypesDB = cmp.Or(c.TypesDB, d.TypesDB)
	c.SecurityLevel = cmp.Or(c.SecurityLevel, d.SecurityLevel)
	c.AuthFile = cmp.Or(c.AuthFile, d.AuthFile)
	c.ParseMultiValuePlugin = cmp.Or(c.ParseMultiValuePlugin, d.ParseMultiValuePlugin)
	return c
}

func (c Collectd) target() target {
	return target{
		kind: "collectd", address: c.BindAddress, database: c.Database, policy: c.RetentionPolicy, consistency: c.ConsistencyLevel,
		size: c.BatchSize, pending: c.BatchPending, timeout: c.BatchTimeout,
	}
}

func (c Collectd) validate() error {
	switch c.SecurityLevel {
	case "none", "sign", "encrypt":
	default:
		return fmt.Errorf("security-level %q: not one of none, sign, encrypt", c.SecurityLevel)
	}
	switch c.ParseMultiValuePlugin {
	case "split", "join":
	default:
		return fmt.Errorf("parse-multivalue-plugin %q: not one of split, join", c.ParseMultiValuePlugin)
	}
	if c.ReadBuffer < 0 {
		return errors.New("read-buffer: below 0")
	}
	to := c.target()
	return to.validate()
}

// parser gives what reads the listener's packets. It reads the files that the
// configuration names.
func (c Collectd) parser() (*collectd.Parser, error) {
	p := &collectd.Parser{Join: c.ParseMultiValuePlugin == "join"}
	switch c.SecurityLevel {
	case "sign":
		p.Security = collectd.Signed
	case "encrypt":
		p.Security = collectd.Encrypted
	}
	var err error
	if p.Types, err = collectd.ReadTypes(c.TypesDB); err != nil {
		return nil, err
	}
	p.Passwords, err = collectd.ReadPasswords(c.AuthFile)
	if errors.Is(err, fs.ErrNotExist) && p.Security == collectd.None {
		return p, nil // what is signed or encrypted cannot be read then
	}
	return p, err
}
