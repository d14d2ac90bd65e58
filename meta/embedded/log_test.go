package embedded

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func TestLogOfEtcdIsThinnedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLogger(slog.New(slog.NewTextHandler(&out, nil)), &atomic.Bool{}, nil)
		for range 100 {
			log.With(zap.Int("peer", 7)).Warn("the disk is slow")
			log.Warn("rejecting promote learner: learner is not ready")
			log.Info("all is well")
			log.Error("all is lost")
		}
		time.Sleep(sayAgain)
		log.Warn("the disk is slow")
		for text, want := range map[string]int{"the disk is slow": 2, "rejecting": 0, "all is well": 0, "all is lost": 100} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q was logged %d times, want %d", text, got, want)
			}
		}
	})
}

func TestLogLeavesOutWhatIsStored(t *testing.T) {
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)), new(atomic.Bool), nil)
	l.Warn("apply request took too long", zap.String("prefix", "read-only range"), zap.String("request", "secret"), zap.String("response", "secret"))
	if got := out.String(); !strings.Contains(got, "read-only range") || strings.Contains(got, "secret") {
		t.Errorf("logged %s", got)
	}
}
