// Package sorting sorts what may be so much that it takes seconds, and ends
// soon after a context does.
package sorting
