// Command varve is the shell of a Varve or InfluxDB 1.x server, with the flags,
// commands and formats that people know from InfluxDB's "influx", and the tool
// of those who run a cluster.
//
//	varve -database telegraf -execute 'SELECT last(usage_idle) FROM cpu' -format csv
//	varve                      an interactive shell with history
//	varve -import -path FILE   what "influx_inspect export" writes
//	varve ctl status           how the cluster is; varve ctl --help lists more
//	varve inspect report       what a data directory holds; varve inspect --help lists more
package main
