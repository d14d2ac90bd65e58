package main

import (
	"testing"
	"testing/fstest"
)

func TestMemoryIsTheLeastOfTheMachineAndTheGroupsOfTheProcess(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is said", nil, 4096 * mib},
		{"no groups", map[string]string{"proc/meminfo": "MemTotal: 2097152 kB\n"}, 2048 * mib},
		{"a container of version 2", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 * mib},
		{"a unit of systemd", map[string]string{
			"proc/self/cgroup":                                    "0::/system.slice/varve.service\n",
			"sys/fs/cgroup/memory.max":                            "max\n",
			"sys/fs/cgroup/system.slice/varve.service/memory.max": "1073741824\n",
		}, 1024 * mib},
		{"a slice that has less than the unit", map[string]string{
			"proc/self/cgroup":                                    "0::/system.slice/varve.service\n",
			"sys/fs/cgroup/system.slice/memory.max":               "268435456\n",
			"sys/fs/cgroup/system.slice/varve.service/memory.max": "1073741824\n",
		}, 256 * mib},
		{"a unit that is slowed down before its end", map[string]string{
			"proc/self/cgroup":                        "0::/varve.service\n",
			"sys/fs/cgroup/varve.service/memory.high": "805306368\n",
			"sys/fs/cgroup/varve.service/memory.max":  "1073741824\n",
		}, 768 * mib},
		{"a group of others", map[string]string{
			"proc/self/cgroup":                       "0::/varve.service\n",
			"sys/fs/cgroup/other.service/memory.max": "1048576\n",
		}, 4096 * mib},
		{"a group outside of what is seen", map[string]string{
			"proc/self/cgroup":               "0::/../other\n",
			"sys/fs/cgroup/other/memory.max": "1048576\n",
			"sys/fs/cgroup/memory.max":       "536870912\n",
		}, 512 * mib},
		{"version 1", map[string]string{
			"proc/self/cgroup":                               "5:cpu,cpuacct:/c\n4:hugetlb,memory:/a/b\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "2147483648\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/c/memory.limit_in_bytes":   "1048576\n",
		}, 1024 * mib},
		{"a container of version 1, named as its host does", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}, 512 * mib},
		{"version 1 and beside it version 2", map[string]string{
			"proc/self/cgroup": "0::/varve.service\n",
			"sys/fs/cgroup/unified/varve.service/memory.max": "536870912\n",
		}, 512 * mib},
	}
	for _, test := range tests {
		root := fstest.MapFS{}
		for name, text := range test.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := machineMemory(root); got != test.want {
			t.Errorf("%s: machineMemory gave %d MiB, want %d", test.name, got/mib, test.want/mib)
		}
	}
}

func TestNumbersOfTheKernelAreRead(t *testing.T) {
	tests := []struct {
		text, word string
		want       int64
	}{
		{"MemTotal:       16303060 kB\nMemFree:  1 kB\n", "MemTotal:", 16303060},
		{"536870912\n", "", 536870912},
		{"max\n", "", 0},
		{"", "MemTotal:", 0},
		{"MemFree: 1 kB\n", "MemTotal:", 0},
	}
	for _, test := range tests {
		if got := numberAfter([]byte(test.text), test.word); got != test.want {
			t.Errorf("numberAfter(%q, %q) = %d, want %d", test.text, test.word, got, test.want)
		}
	}
}
