// Package mutant plants bugs. A test that is to show that a test sees
// something builds with the tag "mutants" and plants one bug at a time; without
// the tag every question is a constant false and the code behind it vanishes.
package mutant
