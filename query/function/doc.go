// Package function is the table of InfluxQL's functions: which types each
// takes and gives, whether it selects a point, and the scalar functions. What
// an aggregate keeps of the points it saw, and so what goes between nodes, is
// described by its States; the kernels that fill them are in query/exec.
//
// The arithmetic of technical analysis (Running) and of Holt and Winters
// (Forecaster) is here as well. It is tested against figures of InfluxDB 1.8.10.
package function
