// Package rpc carries calls between the nodes of a cluster: gRPC without
// protocol buffers of our own. A message is a frame of bytes whose content the
// package that registers the method defines.
//
// A Server answers methods by name, with one frame (Unary) or many (Stream). A
// Pool keeps one Conn to each address; a Conn knows within seconds when the
// other side is dead or stopped, and fails at once from then on.
//
// Before HTTP/2 begins each connection is opened by a Hello from both sides:
// who calls, of which cluster, in which formats. What does not begin so, or is
// of another cluster, is closed with one line on both sides and counted. With
// TLS the node in the Hello must be the one that the certificate names.
//
// An error keeps its kinds on the way, so errors.Is works on both sides, and a
// *model.Error stays one.
//
// Certificates, the authority that signs them and the tokens that let a node
// join are in package trust below.
package rpc
