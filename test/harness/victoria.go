package harness

import "os/exec"

// StartVictoriaMetrics runs a single-node VictoriaMetrics on dir and waits until
// it answers. It keeps points of any age, as the others do, and lets a query have
// as many of them.
func StartVictoriaMetrics(binary, dir string) (*Process, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	return runUntilItAnswers(exec.Command(binary,
		"-storageDataPath", dir, "-httpListenAddr", address, "-retentionPeriod", "100y",
		"-search.maxUniqueTimeseries", "20000000", "-search.maxSamplesPerQuery", "10000000000",
	), "http://"+address, "/health")
}
