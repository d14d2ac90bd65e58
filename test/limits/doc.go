// Package limits asks a server that has little memory for more than it can
// answer: what it can it must answer, the rest refuse, and go on writing.
package limits
