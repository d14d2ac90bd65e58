// Package credentials is how the commands say who sends their requests: by flags,
// or by variables of the environment, which no list of processes shows.
package credentials
