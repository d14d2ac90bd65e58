package function_test

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/query/function"
)

// lines gives the words of each line of a file of testdata.
func lines(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][]string
	s := bufio.NewScanner(f)
	for s.Scan() {
		if words := strings.Fields(s.Text()); len(words) > 0 && words[0] != "#" {
			out = append(out, words)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	if s == "null" {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// same compares a result with InfluxDB's. What is no number or infinite is
// null there.
func same(got, want float64) bool {
	if math.IsNaN(want) {
		return math.IsNaN(got) || math.IsInf(got, 0)
	}
	return got == want || math.Abs(got-want) <= 1e-12*math.Abs(want)
}

func TestTechnicalFunctionsGiveTheFiguresOfInfluxDB(t *testing.T) {
	var values []float64
	for _, words := range lines(t, "technical.txt") {
		if words[0] == "values" {
			for _, s := range words[1:] {
				values = append(values, number(t, s))
			}
			continue
		}
		id, ok := function.Lookup(words[0])
		warmup, known := function.LookupWarmup(words[3])
		if !ok || !known {
			t.Fatalf("%v: not known", words[:4])
		}
		run := function.NewTechnical(id, function.Technical{
			Period: int(number(t, words[1])), Hold: int(number(t, words[2])), Warmup: warmup,
		})
		for i, v := range values {
			got, ok := run.Next(v)
			want := words[4+i]
			if ok != (want != "-") || ok && !same(got, number(t, want)) {
				t.Errorf("%v: result %d is %v, %v, want %s", words[:4], i, got, ok, want)
				break
			}
		}
	}
}

// InfluxDB's own code fails on a period of one; the oscillator then tells
// whether the last value rose or fell.
func TestChandeMomentumOscillatorOverOneValue(t *testing.T) {
	run := function.NewTechnical(function.ChandeMomentumOscillator, function.Technical{Period: 1, Hold: -1, Warmup: function.WarmNone})
	for i, want := range []float64{0, 100, -100, 0} {
		if got, ok := run.Next([]float64{3, 7, 2, 2}[i]); !ok || got != want {
			t.Errorf("result %d is %v, %v, want %v", i, got, ok, want)
		}
	}
}

func TestALongPeriodTakesNoMemoryByItself(t *testing.T) {
	for id := function.ExponentialMovingAverage; id <= function.ChandeMomentumOscillator; id++ {
		if run := function.NewTechnical(id, function.Technical{Period: math.MaxInt, Hold: 0}); run != nil {
			run.Next(1)
			run.Next(2)
		}
	}
}

func TestHoltWintersGivesTheFiguresOfInfluxDB(t *testing.T) {
	var times []int64
	var values []float64
	var interval time.Duration
	for _, words := range lines(t, "holt_winters.txt") {
		if words[0] == "points" {
			interval, _ = time.ParseDuration(words[1])
			times, values = points(t, words[2:])
			continue
		}
		h := function.Forecaster{
			Horizon: int(number(t, words[0])), Season: int(number(t, words[1])), WithFit: words[2] == "true", Interval: int64(interval),
		}
		at, got, err := h.Forecast(context.Background(), times, values)
		wantAt, want := points(t, words[3:])
		if err != nil || !slices.Equal(at, wantAt) || !slices.EqualFunc(got, want, same) {
			t.Errorf("%+v of %d points: %v\n%v %v, want\n%v %v", h, len(times), err, at, got, wantAt, want)
		}
	}
}

func points(t *testing.T, words []string) (times []int64, values []float64) {
	t.Helper()
	for _, w := range words {
		var seconds int64
		var v string
		if _, err := fmt.Sscanf(strings.Replace(w, ":", " ", 1), "%d %s", &seconds, &v); err != nil {
			t.Fatal(err)
		}
		times, values = append(times, seconds*int64(time.Second)), append(values, number(t, v))
	}
	return times, values
}

func TestHoltWintersStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	var times []int64
	var values []float64
	for i := range int64(200_000) {
		times, values = append(times, i), append(values, float64(i*i%17))
	}
	began := time.Now()
	_, _, err := function.Forecaster{Horizon: 10, Interval: 1}.Forecast(ctx, times, values)
	if err == nil || time.Since(began) > time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestForecastsTellWhatTheyTake(t *testing.T) {
	times := []int64{0, 10, 20}
	for _, c := range []struct {
		f        function.Forecaster
		atLeast  int
		nothing  bool
		describe string
	}{
		{function.Forecaster{Horizon: 5, Interval: 10}, 5 * 8, false, "a short one"},
		{function.Forecaster{Horizon: math.MaxInt, Interval: 10}, math.MaxInt / 2, false, "an endless one"},
		{function.Forecaster{Horizon: 5, Interval: 10, Season: math.MaxInt}, 0, true, "a season longer than the points"},
	} {
		if got := c.f.Bytes(times); got < c.atLeast || c.nothing != (got == 0) {
			t.Errorf("%s takes %d bytes", c.describe, got)
		}
	}
}
