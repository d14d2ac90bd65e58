// Package auth tells who sends a request (Authenticator): by the user and the
// password in it, by a token of the cluster, or by a JSON web token. What that user
// may do is for package query to decide; this one only says what he was granted
// (package query's User).
//
// Users and tokens are those of meta.Snapshot, so a change counts on every node as
// soon as its watch has told of it. The password that a hash was found to be of is
// kept as a keyed hash in memory and dropped with the user's own, so that a request
// costs a microsecond instead of fifty milliseconds. That somebody is not known, or
// that a password is wrong, is said only after a linearizable read of the metadata:
// collectors throw away what is answered by a 401. Where that read fails the answer
// is model.ErrUnavailable.
//
// Comparing a password with a hash is dear by design. So it is done for few requests
// at a time, and not at all for an address that was wrong too often; see guesses.
package auth
