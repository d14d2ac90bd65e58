package query

import (
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"
)

func TestBalanceKeepsWhatAConditionSays(t *testing.T) {
	for _, s := range []string{
		"a = 1", "a = 1 AND b = 2", "a = 1 AND b = 2 AND c = 3 AND d = 4 AND e = 5",
		"a = 1 OR b = 2 AND c = 3 OR d = 4", "(a = 1 OR b = 2 OR c = 3) AND d = 4 AND (e = 5)", "a + b > 1 OR c =~ /x/ OR true",
	} {
		e, err := influxql.ParseExpr(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := balance(e).String(); got != s {
			t.Errorf("balance(%s) = %s", s, got)
		}
		if balance(nil) != nil {
			t.Error("balance(nil) is not nil")
		}
	}
}

func TestBalanceMakesLowTrees(t *testing.T) {
	e, err := influxql.ParseExpr("a = 0" + strings.Repeat(" OR a = 1", 4095))
	if err != nil {
		t.Fatal(err)
	}
	var depth func(influxql.Expr) int
	depth = func(e influxql.Expr) int {
		if b, ok := e.(*influxql.BinaryExpr); ok {
			return 1 + max(depth(b.LHS), depth(b.RHS))
		}
		return 0
	}
	e = balance(e)
	if got := depth(e); got != 13 { // 12 of OR, and the comparison
		t.Errorf("4096 terms are %d deep, want 13", got)
	}
	if _, _, err := splitTime(e, time.Unix(0, 0)); err != nil {
		t.Error(err)
	}
}
