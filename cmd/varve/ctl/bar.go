package ctl

import (
	"fmt"
	"io"
	"strings"
)

// bar shows how far something is, on one line of a terminal. A nil bar shows
// nothing.
type bar struct {
	w    io.Writer
	last int // characters of the line
}

const barWidth = 30

// newBar gives a bar, or nil where nobody looks.
func (s *session) newBar() *bar {
	if !s.bars {
		return nil
	}
	return &bar{w: s.errs}
}

// show draws the bar: done of total, and a text.
func (b *bar) show(done, total int64, text string) {
	if b == nil {
		return
	}
	filled, percent := 0, "   "
	if total > 0 {
		done = min(done, total)
		filled = int(done * barWidth / total)
		percent = fmt.Sprintf("%3d", done*100/total)
	}
	line := fmt.Sprintf("[%s%s] %s%% %s", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), percent, text)
	fmt.Fprintf(b.w, "\r%-*s", b.last, line)
	b.last = len(line)
}

// end takes the bar away.
func (b *bar) end() {
	if b != nil && b.last > 0 {
		fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", b.last))
	}
}

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
