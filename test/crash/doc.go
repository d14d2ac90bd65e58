// Package crash kills a real server in the middle of writes, and again while it
// recovers, and looks for acknowledged points that are gone.
package crash
