// Package secrets plants canaries where a server is told secrets, has it do all
// that it can be asked to, crashes it, and looks for them in everything that came
// out of it.
package secrets
