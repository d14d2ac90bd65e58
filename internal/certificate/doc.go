// Package certificate is a certificate in files that may be replaced while it
// is used: that of a node for the others (package internal/rpc/trust) or that
// of the HTTP server.
//
// A Live is the Keys that the files hold now. They are looked at again when a
// connection is opened, once in a second at most, and by Watch. Files that
// cannot be used leave in force what was there before. Watch also warns before
// a certificate expires, and Register shows when it does in the metrics.
package certificate
