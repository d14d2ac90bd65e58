package httpapi

import (
	"io"
	"net/http"
)

const (
	// formCost is how many bytes a byte of a form takes while it is read: as it
	// came, in a buffer that grows, and as values.
	formCost = 3
	formStep = 64 << 10 // how much is taken of the budget at a time
)

// form is the body of a query as it is read. Its bytes are taken from the budget
// before they come, until it is released.
type form struct {
	io.ReadCloser
	budget *budget
	room   int64 // bytes that may come yet
	taken  int64
}

func (f *form) Read(p []byte) (int, error) {
	if f.room == 0 {
		if f.taken+formStep*formCost > f.budget.limit {
			return 0, &http.MaxBytesError{Limit: f.taken / formCost} // it would never fit
		}
		if err := f.budget.reserve(formStep * formCost); err != nil {
			return 0, err
		}
		f.taken += formStep * formCost
		f.room = formStep
	}
	n, err := f.ReadCloser.Read(p[:min(int64(len(p)), f.room)])
	f.room -= int64(n)
	return n, err
}

func (f *form) release() { f.budget.give(f.taken) }
