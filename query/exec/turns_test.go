package exec

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/varvedb/varve/model"
)

func TestWorkersKeepLittleAheadOfTheirTurn(t *testing.T) {
	text := model.Column{Field: model.Field{Type: model.String}}
	text.AppendText(make([]byte, 1<<20))
	synctest.Test(t, func(t *testing.T) {
		out := 0
		s := newTurns(3, func(*Partial) error { out++; return nil })
		turn := make(chan struct{})
		var kept atomic.Int64
		first := func(task int, emit func(*Partial) error) error {
			if task == 0 {
				<-turn
				return nil
			}
			for range 20 {
				if err := emit(&Partial{Times: []int64{1}, Columns: []model.Column{text}}); err != nil {
					return err
				}
				kept.Add(1)
			}
			return nil
		}
		done := make(chan error, 2)
		go func() { done <- s.work(first) }()
		synctest.Wait()
		go func() { done <- s.work(first) }()
		synctest.Wait()
		if n := kept.Load(); out != 0 || n != 7 {
			t.Errorf("%d went out and %d were kept before their turn, of a megabyte each", out, n)
		}
		close(turn)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if out != 40 || s.held != 0 {
			t.Errorf("%d went out, %d bytes are held", out, s.held)
		}
	})
}
