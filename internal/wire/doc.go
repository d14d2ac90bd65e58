// Package wire reads and writes the parts that binary messages between nodes
// are made of: numbers as varints, texts with their length, lists with their
// count. Reader is made for bytes that nobody vouches for: it takes no memory
// before it has seen that the bytes are there and the budget allows it, and
// after the first fault it gives zeros.
//
// What a message consists of belongs to the package of what it carries.
package wire
