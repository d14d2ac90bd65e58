package certificate

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Soon is how long before it expires a certificate is worth a word.
	Soon = 30 * 24 * time.Hour
	// watchEvery is how often the files are looked at without a connection.
	watchEvery = 10 * time.Second
	// warnEvery is how often the log is told again that a certificate expires.
	warnEvery = 24 * time.Hour
)

// Watch looks at the files until ctx ends, and warns in the log of a
// certificate that expires soon. use is what it is for.
func (l *Live) Watch(ctx context.Context, use string) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var warned time.Time
	for {
		expires := l.Expires()
		if left := time.Until(expires); left < Soon && time.Since(warned) >= warnEvery {
			warned = time.Now()
			level, text := slog.LevelWarn, "a certificate expires soon"
			if left <= 0 {
				level, text = slog.LevelError, "a certificate has expired"
			}
			l.log.Log(ctx, level, text, "use", use, "file", l.files.Certificate, "expires", expires)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Register shows in the metrics when the certificate for use expires.
func (l *Live) Register(registry prometheus.Registerer, use string) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "tls_certificate_expiry_timestamp_seconds",
		Help:        "When the certificate in force expires.",
		ConstLabels: prometheus.Labels{"use": use},
	}, func() float64 { return float64(l.Expires().Unix()) }))
}
