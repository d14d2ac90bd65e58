package monitor

import (
	"maps"
	"slices"
)

const (
	nanoseconds = 1e9 // in a second
)

// metric is all samples of a metric.
func metric(names ...string) []source {
	all := make([]source, len(names))
	for i, name := range names {
		all[i] = source{metric: name}
	}
	return all
}

// where is the samples of a metric whose label begins with one of the prefixes.
func where(name, label string, prefixes ...string) []source {
	return []source{{metric: name, label: label, prefixes: prefixes}}
}

var (
	queryPaths = []string{"/query"}
	writePaths = []string{"/write", "/api/v2/write"}

	shardTags = []tag{
		{name: "database", label: "database"},
		{name: "retentionPolicy", label: "policy"},
		{name: "id", label: "shard"},
		{name: "path", label: "path"},
		{name: "walPath", label: "log_path"},
		{name: "engine", text: "tsm1"},
		{name: "indexType", text: "tsi1"},
	}
)

// written is what all listeners count of what they write.
var written = []column{
	{name: "batchesTx", of: metric("ingest_written_batches_total")},
	{name: "pointsTx", of: metric("ingest_written_points_total")},
	{name: "batchesTxFail", of: metric("ingest_failed_batches_total")},
}

// received is what a listener receives, under its own names.
func received(points, bytes string) []column {
	return []column{
		{name: points + "Rx", of: metric("ingest_received_points_total")},
		{name: bytes + "Rx", of: metric("ingest_received_bytes_total")},
	}
}

// listener gives the module of the listeners of one kind.
func listener(kind string, tags []tag, columns ...[]column) module {
	return module{
		name: kind, only: map[string]string{"listener": kind},
		tags: append([]tag{{name: "bind", label: "bind"}}, tags...), columns: slices.Concat(columns...),
	}
}

// modules are the statistics of InfluxDB, and of InfluxDB Enterprise where a
// cluster has more, as far as the same is measured here. bind is the address
// that HTTP is served on.
func modules(bind string) []module {
	return []module{
		{name: "runtime", columns: []column{
			{name: "Alloc", of: metric("go_memstats_alloc_bytes")},
			{name: "Frees", of: metric("go_memstats_frees_total")},
			{name: "HeapAlloc", of: metric("go_memstats_heap_alloc_bytes")},
			{name: "HeapIdle", of: metric("go_memstats_heap_idle_bytes")},
			{name: "HeapInUse", of: metric("go_memstats_heap_inuse_bytes")},
			{name: "HeapObjects", of: metric("go_memstats_heap_objects")},
			{name: "HeapReleased", of: metric("go_memstats_heap_released_bytes")},
			{name: "HeapSys", of: metric("go_memstats_heap_sys_bytes")},
			{name: "Mallocs", of: metric("go_memstats_mallocs_total")},
			{name: "NumGC", of: metric("go_gc_duration_seconds_count")},
			{name: "NumGoroutine", of: metric("go_goroutines")},
			{name: "PauseTotalNs", of: metric("go_gc_duration_seconds_sum"), scale: nanoseconds},
			{name: "Sys", of: metric("go_memstats_sys_bytes")},
			{name: "TotalAlloc", of: metric("go_memstats_alloc_bytes_total")},
		}},
		{name: "queryExecutor", columns: []column{
			{name: "queriesActive", of: metric("query_active")},
			{name: "queriesExecuted", of: metric("query_active", "query_duration_seconds_count")},
			{name: "queriesFinished", of: metric("query_duration_seconds_count")},
			{name: "queryDurationNs", of: metric("query_duration_seconds_sum"), scale: nanoseconds},
			{name: "recoveredPanics", of: metric("query_panics_total")},
		}},
		{name: "httpd", tags: []tag{{name: "bind", text: bind}}, columns: []column{
			{name: "req", of: metric("http_requests_total")},
			{name: "queryReq", of: where("http_requests_total", "path", queryPaths...)},
			{name: "writeReq", of: where("http_requests_total", "path", writePaths...)},
			{name: "pingReq", of: where("http_requests_total", "path", "/ping")},
			{name: "statusReq", of: where("http_requests_total", "path", "/status")},
			{name: "promWriteReq", of: where("http_requests_total", "path", "/api/v1/prom/write")},
			{name: "promReadReq", of: where("http_requests_total", "path", "/api/v1/prom/read")},
			{name: "fluxQueryReq", of: where("http_requests_total", "path", "/api/v2/query")},
			{name: "clientError", of: where("http_requests_total", "status", "4")},
			{name: "serverError", of: where("http_requests_total", "status", "5")},
			{name: "authFail", of: where("http_requests_total", "status", "401")},
			{name: "reqActive", of: metric("http_requests_active")},
			{name: "writeReqActive", of: where("http_requests_active", "path", writePaths...)},
			{name: "reqDurationNs", of: metric("http_request_duration_seconds_sum"), scale: nanoseconds},
			{name: "queryReqDurationNs", of: where("http_request_duration_seconds_sum", "path", queryPaths...), scale: nanoseconds},
			{name: "writeReqDurationNs", of: where("http_request_duration_seconds_sum", "path", writePaths...), scale: nanoseconds},
			{name: "fluxQueryReqDurationNs", of: where("http_request_duration_seconds_sum", "path", "/api/v2/query"), scale: nanoseconds},
			{name: "queryRespBytes", of: where("http_answer_bytes_total", "path", queryPaths...)},
			{name: "writeReqBytes", of: metric("http_write_bytes_total")},
			{name: "pointsWrittenOK", of: metric("http_write_points_total")},
			{name: "valuesWrittenOK", of: metric("http_write_values_total")},
			{name: "pointsWrittenDropped", of: metric("http_write_dropped_total")},
			{name: "pointsWrittenFail", of: metric("http_write_failed_points_total")},
			{name: "recoveredPanics", of: metric("http_panics_total")},
		}},
		{name: "write", columns: []column{
			{name: "req", of: metric("coordinator_writes_total")},
			{name: "pointReq", of: metric("coordinator_rows_total")},
			{name: "pointReqLocal", of: where("coordinator_owner_rows_total", "owner", "here")},
			{name: "pointReqRemote", of: where("coordinator_owner_rows_total", "owner", "other")},
			{name: "writeOk", of: where("coordinator_writes_total", "outcome", "ok")},
			{name: "writePartial", of: where("coordinator_writes_total", "outcome", "partial")},
			{name: "writeError", of: where("coordinator_writes_total", "outcome", "error", "timeout")},
			{name: "writeTimeout", of: where("coordinator_writes_total", "outcome", "timeout")},
			{name: "writeDrop", of: metric("coordinator_refused_rows_total")},
			{name: "subWriteOk", of: metric("subscriber_batches_total")},
		}},
		{name: "cq", always: true, columns: []column{
			{name: "queryOk", of: where("continuous_runs_total", "outcome", "ok")},
			{name: "queryFail", of: where("continuous_runs_total", "outcome", "error")},
		}},
		{name: "subscriber", always: true, columns: []column{
			{name: "pointsWritten", of: metric("subscriber_points_total")},
			{name: "writeFailures", of: metric("subscriber_failures_total")},
			{name: "memUsage", of: metric("subscriber_queue_bytes")},
		}},
		{name: "subscriber", tags: []tag{
			{name: "database", label: "database"},
			{name: "retention_policy", label: "policy"},
			{name: "name", label: "subscription"},
			{name: "destination", label: "destination"},
		}, columns: []column{
			{name: "pointsWritten", of: metric("subscriber_points_total")},
			{name: "writeFailures", of: metric("subscriber_failures_total")},
		}},
		{name: "database", tags: []tag{{name: "database", label: "database"}}, columns: []column{
			{name: "numSeries", of: metric("data_database_series")},
			{name: "numMeasurements", of: metric("data_database_measurements")},
		}},
		{name: "shard", tags: shardTags, columns: []column{
			{name: "diskBytes", of: metric("data_shard_disk_bytes")},
			{name: "seriesCreate", of: metric("data_shard_series")},
			{name: "writeReq", of: metric("data_shard_batches_total")},
			{name: "writeReqOk", of: where("data_shard_batches_total", "outcome", "ok")},
			{name: "writeReqErr", of: where("data_shard_batches_total", "outcome", "error")},
			{name: "writePointsOk", of: where("data_shard_rows_total", "outcome", "ok")},
			{name: "writePointsErr", of: where("data_shard_rows_total", "outcome", "error")},
		}},
		{name: "tsm1_cache", tags: shardTags, columns: []column{
			{name: "memBytes", of: metric("data_shard_memory_bytes")},
			{name: "writeOk", of: where("data_shard_batches_total", "outcome", "ok")},
			{name: "writeErr", of: where("data_shard_batches_total", "outcome", "error")},
		}},
		{name: "tsm1_filestore", tags: shardTags, columns: []column{
			{name: "diskBytes", of: metric("data_shard_file_bytes")},
			{name: "numFiles", of: metric("data_shard_files")},
		}},
		{name: "tsm1_wal", tags: shardTags, columns: []column{
			{name: "currentSegmentDiskBytes", of: metric("data_shard_log_bytes")},
			{name: "writeOk", of: where("data_shard_batches_total", "outcome", "ok")},
			{name: "writeErr", of: where("data_shard_batches_total", "outcome", "error")},
		}},
		// Of the node as a whole: who works on a shard is not counted for each.
		{name: "tsm1_engine", tags: []tag{{name: "engine", text: "tsm1"}}, columns: []column{
			{name: "cacheCompactions", of: metric("tsm_flushes_total")},
			{name: "cacheCompactionErr", of: where("tsm_background_errors_total", "work", "flush")},
			{name: "tsmLevel1Compactions", of: where("tsm_compactions_total", "work", "merge")},
			{name: "tsmLevel1CompactionErr", of: where("tsm_background_errors_total", "work", "merge")},
			{name: "tsmFullCompactions", of: where("tsm_compactions_total", "work", "rewrite")},
			{name: "tsmFullCompactionErr", of: where("tsm_background_errors_total", "work", "rewrite")},
		}},
		listener("udp", nil, received("points", "bytes"), written, []column{
			{name: "pointsParseFail", of: metric("ingest_malformed_total")},
			{name: "readFail", of: metric("ingest_read_failures_total")},
		}),
		listener("graphite", []tag{{name: "proto", label: "transport"}}, received("points", "bytes"), written, []column{
			{name: "pointsParseFail", of: metric("ingest_malformed_total")},
			{name: "pointsNaNFail", of: where("ingest_malformed_total", "reason", "nan")},
			{name: "connsActive", of: metric("ingest_connections")},
			{name: "connsHandled", of: metric("ingest_connections_total")},
		}),
		listener("opentsdb", nil, received("tlPoints", "tlBytes"), written, []column{
			{name: "tlReadErr", of: metric("ingest_read_failures_total")},
			{name: "tlBadLine", of: where("ingest_malformed_total", "reason", "line")},
			{name: "tlBadTime", of: where("ingest_malformed_total", "reason", "time")},
			{name: "tlBadTag", of: where("ingest_malformed_total", "reason", "tag")},
			{name: "tlBadFloat", of: where("ingest_malformed_total", "reason", "value")},
			{name: "droppedPointsInvalid", of: where("ingest_dropped_points_total", "reason", "invalid")},
			{name: "connsActive", of: metric("ingest_connections")},
			{name: "connsHandled", of: metric("ingest_connections_total")},
			{name: "tlConnsActive", of: where("ingest_connections", "protocol", "telnet")},
			{name: "tlConnsHandled", of: where("ingest_connections_total", "protocol", "telnet")},
			{name: "httpConnsHandled", of: where("ingest_connections_total", "protocol", "http")},
		}),
		listener("collectd", nil, received("points", "bytes"), written, []column{
			{name: "pointsParseFail", of: metric("ingest_malformed_total")},
			{name: "readFail", of: metric("ingest_read_failures_total")},
			{name: "droppedPointsInvalid", of: where("ingest_dropped_points_total", "reason", "invalid")},
		}),

		// InfluxDB Enterprise.
		{name: "rpc", columns: []column{
			{name: "rpcCalls", of: metric("rpc_client_calls_total")},
			{name: "rpcFailures", of: where("rpc_client_calls_total", "result", "error")},
			{name: "rpcWriteBytes", of: metric("rpc_client_request_bytes_total")},
			{name: "rpcReadBytes", of: metric("rpc_server_request_bytes_total")},
			{name: "liveConnections", of: metric("rpc_server_connections")},
		}},
		{name: "hh_processor", columns: []column{
			{name: "queueBytes", of: metric("parking_bytes")},
			{name: "queueDepth", of: metric("parking_batches")},
			{name: "writeShardReq", of: metric("coordinator_parked_batches_total")},
			{name: "writeNodeReq", of: metric("coordinator_delivered_batches_total")},
			{name: "writeBlocked", of: metric("parking_refused_batches_total")},
			{name: "writeDropped", of: metric("coordinator_dropped_parked_batches_total")},
		}},
	}
}

// Metrics gives the metrics that the statistics are made of, each with the labels
// that it must have. One that a node does not have would be told as 0 for ever, so
// a test holds them against a node.
func Metrics() map[string][]string {
	all := make(map[string][]string)
	for _, m := range modules("") {
		var labels []string // that its rows are told apart by
		for _, t := range m.tags {
			if t.label != "" {
				labels = append(labels, t.label)
			}
		}
		labels = slices.AppendSeq(labels, maps.Keys(m.only))
		for _, c := range m.columns {
			for _, s := range c.of {
				all[s.metric] = append(all[s.metric], labels...)
				if s.label != "" {
					all[s.metric] = append(all[s.metric], s.label)
				}
			}
		}
	}
	return all
}
