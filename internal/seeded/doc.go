// Package seeded gives tests random numbers that can be had again: a test that
// uses them prints its seed, and -seed takes it back.
package seeded
