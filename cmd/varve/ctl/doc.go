// Package ctl is `varve ctl`: what operators see of a cluster and do to it, by
// the routes under /varve/v1/ of any node. Names and outputs follow influxd-ctl
// where it has the command.
//
// The exit code is 0 when all is well, 1 when something failed or is wrong, 2
// when the command was not understood, and of verify 3 when not all could be
// compared.
package ctl
