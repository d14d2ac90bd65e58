// Package block keeps columns in compressed form: pure functions over slices.
//
// A block is the rows of one column of one granule. It says by its first bytes
// which rows have a value and which codec the values went through; it is
// complete by itself but for its type, its number of rows and the code table it
// may need, which the caller knows. Every codec is lossless for every bit
// pattern. FORMAT.md has the bytes.
//
// Encoder makes single blocks. Group makes the blocks of one field of a segment
// together: from a sample it plans how numbers become symbols of a byte, and at
// the end writes prefix codes, or for strings a dictionary, which the blocks
// share as Tables. Decoder decodes both.
//
// What blocks belong to, where they are and their checksums is left to package
// segment.
package block
