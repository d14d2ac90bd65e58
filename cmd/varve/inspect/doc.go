// Package inspect looks at data directories: "varve inspect". It works without
// a server, changes nothing, and may be run while a server has the directory.
package inspect
