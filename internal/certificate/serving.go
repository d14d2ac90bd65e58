package certificate

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/varvedb/varve/model"
)

// Serving is how clients that are no nodes are served. The zero Serving takes
// TLS 1.2 and 1.3 with Go's choice of ciphers.
type Serving struct {
	MinVersion uint16   // 0: TLS 1.2
	MaxVersion uint16   // 0: the newest
	Ciphers    []uint16 // of TLS 1.2; nil: those that Go prefers
}

// Config gives what serves with k. Where the files name an authority clients
// must show a certificate of it.
func (s *Serving) Config(k *Keys) *tls.Config {
	c := &tls.Config{
		MinVersion:   cmp.Or(s.MinVersion, tls.VersionTLS12),
		MaxVersion:   s.MaxVersion,
		CipherSuites: s.Ciphers,
		Certificates: []tls.Certificate{k.Pair},
		// A connection is one client's, whose limits are counted by connection.
		NextProtos: []string{"http/1.1"},
	}
	if k.Authority != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, k.Authority
	}
	return c
}

// ParseVersion reads a version of TLS as InfluxDB has it, tls1.2 or 1.2. Those
// that are broken are refused.
func ParseVersion(text string) (uint16, error) {
	switch strings.TrimPrefix(strings.ToLower(text), "tls") {
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("not one of tls1.2, tls1.3: %w", model.ErrInvalid)
}

// ParseCipher reads the name of a cipher suite of TLS 1.2, as
// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256. Those that are broken are refused.
func ParseCipher(text string) (uint16, error) {
	for _, c := range tls.CipherSuites() {
		if c.Name == strings.ToUpper(text) {
			return c.ID, nil
		}
	}
	for _, c := range tls.InsecureCipherSuites() {
		if c.Name == strings.ToUpper(text) {
			return 0, fmt.Errorf("%s is broken: %w", c.Name, model.ErrInvalid)
		}
	}
	return 0, fmt.Errorf("%q is no cipher suite: %w", text, model.ErrInvalid)
}
