package sim

import (
	"errors"
	"math/rand/v2"

	"github.com/varvedb/varve/internal/vfs"
)

// errPowerCut ends every operation on a disk whose machine lost its power.
var errPowerCut = errors.New("power cut")

// disk is the disk of a machine. A power cut can be armed so that it comes in
// the middle of what is being done.
type disk struct {
	rng   *rand.Rand
	mem   *vfs.Mem
	keep  float64  // the part of unsynced changes that a power cut leaves
	armed int      // operations left until the power cut; 0: none is to come
	left  *vfs.Mem // what the power cut left; nil while there is power
}

// fs gives the disk as a process that starts now sees it.
func (d *disk) fs() vfs.FS {
	mem := d.mem
	return vfs.NewFailing(mem, func(op vfs.Op) error {
		if d.mem != mem || d.left != nil {
			return errPowerCut
		}
		if d.armed == 0 || !op.Kind.Mutates() {
			return nil
		}
		if d.armed--; d.armed == 0 {
			d.cut()
			return errPowerCut
		}
		return nil
	})
}

// cut takes the power away now.
func (d *disk) cut() {
	if d.left == nil {
		d.left = d.mem.CrashClone(func() bool { return d.rng.Float64() < d.keep })
	}
	d.armed = 0
}

// restore gives the power back.
func (d *disk) restore() { d.mem, d.left = d.left, nil }

// wipe replaces the disk by an empty one.
func (d *disk) wipe() { d.mem, d.left, d.armed = vfs.NewMem(), vfs.NewMem(), 0 }
