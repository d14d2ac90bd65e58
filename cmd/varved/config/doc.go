// Package config reads what a server is told: from flags, the environment and
// a TOML file, in this order of precedence, under the same names.
// --http-bind-address is VARVE_HTTP_BIND_ADDRESS and
//
//	[http]
//	bind-address = "127.0.0.1:8086"
//
// Each setting is a row of one table, settings. Load gives a Config, the
// settings of all parts of the server; it does not open anything but the files
// that they name.
package config
