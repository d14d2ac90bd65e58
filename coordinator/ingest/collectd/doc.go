// Package collectd reads collectd's binary network protocol: a packet is parts
// of type, length and content, of which some are the identity and the time of
// the values in the parts after them.
//
//	part      type (2 bytes), length with these 4 bytes (2), content
//	0 2 3 4 5 host, plugin, its instance, type, its instance: text and a NUL
//	1 8       time: seconds since 1970, or units of 2^-30 seconds
//	6         values: how many (2), a byte of kind for each, 8 bytes for each
//	0x200     signature: HMAC-SHA256 of what follows (32), user
//	0x210     encrypted: length of the user (2), user, IV (16), and by
//	          AES-256-OFB: SHA-1 (20) of the parts after it, these parts
//
// Numbers are big endian, except floats. What is not listed is skipped. The names
// of the values of a type are in a types.db file (Types), passwords in an auth
// file (Passwords).
package collectd
