// Package harness starts varved as a process of its own, the way a person
// would, for tests and measurements that look at the system from outside.
package harness
