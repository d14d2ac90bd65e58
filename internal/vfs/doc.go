// Package vfs is the files of the database: real ones, ones in memory that can
// lose what was not synced, ones that fail, and ones that tools look at without
// changing them. Everything that the storage
// engine and the metadata keep on disk goes through it.
package vfs
