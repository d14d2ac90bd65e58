// Package test holds the tests that look at the system from outside.
package test
