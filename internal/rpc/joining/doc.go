// Package joining is how a node becomes a member: the methods by which a
// member lets it in, and the calls that it makes.
//
//	greet    who are you? The member names its cluster and, to one that has a
//	         token, proves that it knows the token's secret.
//	join     the new node proves the same and sends the key it made; it gets
//	         a certificate, where etcd is, and who else is there. A node that
//	         will run the metadata gets the key of the authority as well, so
//	         that the cluster can let nodes in whoever is lost.
//	certify  once it has a number it gets the certificate that names it.
//
// Without TLS, on loopback, greet and join need no proof. With certificates
// from a configuration the certificate is the proof, and none is made here.
package joining
