// Package function is the table of InfluxQL's functions: which types each
// takes and gives, whether it selects a point, and the scalar functions. What
// an aggregate keeps of the points it saw, and so what goes between nodes, is
// described by its States; the kernels that fill them are in query/exec.
package function
