// Package stage is the functions over the points of a group in order of time:
// transformations such as difference(), the moving averages and their like,
// forecasts, and what selects several points or needs all of them, such as top()
// and integral(). New makes the Stage of a call; who reads the shards hands it
// Points. The arithmetic is in query/function.
package stage
