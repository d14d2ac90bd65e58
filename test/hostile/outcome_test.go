package hostile

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// outcome is what an input did to a server.
type outcome struct {
	answer    string
	took, cpu time.Duration // until the answer
	peak      int64         // bytes of memory above what was held before, at most
	growth    int64         // bytes still held afterwards
	unhealthy error         // of the request after it
	panics    int           // that the server caught since it began
	ended     bool          // the process
	how       string        // it ended
}

// problems lists what is not as the row has it.
func (o outcome) problems(r row) (list []string) {
	if o.ended {
		return []string{"the server ended: " + o.how + ", after " + o.answer}
	}
	if !regexp.MustCompile(r.want).MatchString(o.answer) {
		list = append(list, fmt.Sprintf("answer %q, want %q", o.answer, r.want))
	}
	within := r.within
	if within == 0 {
		within = time.Minute
	}
	// On a machine that is shared it is CPU time that says whose the time was.
	if o.took > within && (o.cpu > within || o.took > within+time.Second) {
		list = append(list, fmt.Sprintf("it took %v and %v of CPU, want %v", o.took, o.cpu, within))
	}
	if r.flat && o.peak > maxGrowth {
		list = append(list, fmt.Sprintf("%d MB more memory on the way", o.peak>>20))
	}
	if o.growth >= maxGrowth {
		list = append(list, fmt.Sprintf("%d MB more memory afterwards", o.growth>>20))
	}
	if o.unhealthy != nil {
		list = append(list, "the next healthy request: "+o.unhealthy.Error())
	}
	if o.panics > 0 {
		list = append(list, fmt.Sprintf("%d panics since the start", o.panics))
	}
	return list
}

func (o outcome) String() string {
	return fmt.Sprintf("%s; %s", o.answer, o.after())
}

// after says how the server was then.
func (o outcome) after() string {
	if o.ended {
		return "**ended**: " + o.how
	}
	parts := []string{duration(o.took)}
	if o.peak >= 1<<20 {
		parts = append(parts, fmt.Sprintf("+%d MB", o.peak>>20))
	}
	if o.growth >= maxGrowth {
		parts = append(parts, fmt.Sprintf("keeps %d MB", o.growth>>20))
	}
	if o.unhealthy != nil {
		parts = append(parts, "then not healthy: "+short(o.unhealthy.Error()))
	}
	return strings.Join(parts, ", ")
}

func duration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
