package segment

import (
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/varvedb/varve/model"
)

// guard is what every method that touches the mapped bytes begins with:
//
//	defer r.guard(debug.SetPanicOnFault(true), &err)
//
// A page that the disk does not give faults, which would end the process; so
// the fault becomes an error of kind model.ErrCorrupt. Faults at other
// addresses are bugs and go on as panics. was is how faults were met before.
func (r *Reader) guard(was bool, err *error) {
	debug.SetPanicOnFault(was)
	p := recover()
	if p == nil {
		return
	}
	fault, ok := p.(interface {
		error
		Addr() uintptr
	})
	data := r.content.data
	first := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	if !ok || fault.Addr()-first >= uintptr(len(data)) { // an address below first wraps
		panic(p)
	}
	*err = fmt.Errorf("read at %d of %d bytes: %w: %w", fault.Addr()-first, len(data), fault, model.ErrCorrupt)
}
