// Package block keeps columns in compressed form: pure functions over slices.
//
// A block is the rows of one column of one granule. It says by its first bytes
// which rows have a value and which codec the values went through; it is
// complete by itself but for its type and its number of rows, which the caller
// knows. Every codec is lossless for every bit pattern. FORMAT.md has the
// bytes.
//
// What blocks belong to, where they are and their checksums is left to package
// segment.
package block
