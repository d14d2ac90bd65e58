package inspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// size gives bytes as people read them.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}

// perValue gives bytes per value.
func perValue(bytes, values int64) string {
	if values == 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(bytes)/float64(values), 'f', 3, 64)
}

func timeText(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }

func rangeText(r model.TimeRange) string {
	if r.Empty() {
		return "no times"
	}
	return timeText(r.Min) + " to " + timeText(r.Max)
}

// versionText shows a version: when it was stamped, and which batch it is of.
func versionText(v model.Version) string {
	return fmt.Sprintf("%s+%d of batch %d/%d/%d", v.HLC.Time().UTC().Format("2006-01-02T15:04:05.000Z"), v.HLC&0xffff, v.ID.Origin, v.ID.Epoch, v.ID.Seq)
}

// predicateText shows a condition as InfluxQL would have it.
func predicateText(p *model.Predicate) string {
	if p == nil {
		return "everything"
	}
	key := strconv.Quote(p.Key)
	if p.Key == model.MeasurementKey {
		key = "measurement"
	}
	switch p.Op {
	case model.And, model.Or:
		word := " AND "
		if p.Op == model.Or {
			word = " OR "
		}
		return "(" + predicateText(p.Left) + word + predicateText(p.Right) + ")"
	case model.Equal:
		return key + " = " + quoted(p.Value)
	case model.NotEqual:
		return key + " != " + quoted(p.Value)
	case model.Match:
		return key + " =~ /" + p.Value + "/"
	case model.NotMatch:
		return key + " !~ /" + p.Value + "/"
	case model.SameTag:
		return key + " = " + strconv.Quote(p.Value)
	case model.OtherTag:
		return key + " != " + strconv.Quote(p.Value)
	case model.Nothing:
		return "nothing"
	}
	return "everything"
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

// isDamage reports whether err says that a file is not as it was written.
func isDamage(err error) bool {
	return errors.Is(err, model.ErrCorrupt) || errors.Is(err, model.ErrNotSupported)
}
