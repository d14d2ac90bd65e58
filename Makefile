# The targets are for people and for CI alike; `make` lists them. Only Go, git
# and make are needed: what else a target wants it builds or installs itself.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOL     = $(GO) tool -modfile=tools/go.mod

# Packages that hold Go code; tools/ is a module of its own.
PACKAGES = ./...

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/varved (the server) and bin/varve (the shell), static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/varved ./cmd/varve

.PHONY: run
run: build ## build and start one node on its defaults: http://127.0.0.1:8086
	bin/varved

.PHONY: check
check: ## go vet, staticcheck, formatting and a tidy go.mod
	$(GO) vet -tags invariants $(PACKAGES)
	$(TOOL) staticcheck -tags invariants $(PACKAGES)
	$(GO) mod tidy -diff
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make format):"; echo "$$unformatted"; exit 1; fi

.PHONY: format
format: ## format every Go file
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

.PHONY: test
test: check ## check, then every test with the race detector and invariants on
	@GO=$(GO) test/run-tests.sh $(PACKAGES)

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME (default 30s) each
	GO=$(GO) test/run-fuzz.sh $(or $(FUZZTIME),30s)

.PHONY: crash
crash: build ## 100 rounds of kill -9 in the middle of writes, and again during recovery
	$(GO) test ./test/crash -count=1 -v -timeout 60m -args -binary $(CURDIR)/bin/varved -rounds $(or $(ROUNDS),100)

.PHONY: cluster
cluster: ## clusters of real nodes under faults, for as long as the published figures take (1 h)
	$(GO) test ./test/cluster -count=1 -v -timeout 3h -args -long

.PHONY: soak
soak: ## the simulator for MINUTES (default 60), the models in full, then crash and cluster
	$(GO) test ./test/sim -run Disagree -minutes $(or $(MINUTES),60) -v -timeout 24h
	$(GO) test ./test/model -long -v -timeout 24h
	$(MAKE) crash cluster

# What is compared live is skipped, and said to be, where InfluxDB cannot be installed.
INSTALLED = -$(MAKE) bin/influxd
INFLUXD = $$(test -x bin/influxd && echo -influxd $(CURDIR)/bin/influxd)

.PHONY: compat
compat: ## compare with InfluxDB 1.8.10: recorded answers; live 2,000 generated queries, a row limit, the line-protocol corpus
	$(INSTALLED)
	$(GO) test ./test/influxdiff -count=1 -v -timeout 30m -run 'AsInfluxDB$$' -args -cluster $(INFLUXD)

.PHONY: compat-seeds
compat-seeds: ## 2,000 generated queries of each of SEEDS (default 10) seeds live, on one node and on three
	$(INSTALLED)
	$(GO) test ./test/influxdiff -count=1 -v -timeout 2h -run 'Generated' -args -seeds $(or $(SEEDS),10) $(INFLUXD)

.PHONY: query-limits
query-limits: build ## the heaviest queries, 50 at once, in a control group of 1 GB; needs root
	$(GO) test ./test/limits -count=1 -v -timeout 30m -args -heavy -binary $(CURDIR)/bin/varved

.PHONY: overload
overload: build ## more than a server can give: goodput, dripping connections, costly requests, tenants; needs root
	$(GO) test ./test/overload -count=1 -v -timeout 30m -args -heavy -binary $(CURDIR)/bin/varved

.PHONY: small
small: build ## 10,000 series in a control group of 256 MB; needs root
	$(GO) test ./test/overload -count=1 -v -run Small -args -small -binary $(CURDIR)/bin/varved

.PHONY: hostile
hostile: build ## 80 hostile inputs, to a server in a control group of 1 GB and to InfluxDB; needs root (ARGS='-only "^31 "')
	$(INSTALLED)
	$(GO) test ./test/hostile -count=1 -v -timeout 3h -args -heavy -binary $(CURDIR)/bin/varved $(INFLUXD) $(ARGS)

.PHONY: compat-clients
compat-clients: build bin/telegraf ## real clients: Telegraf, influx, python3-influxdb, npm's and Go's, Prometheus, collectd, where they can be installed
	-if [ "$$(id -u)" = 0 ]; then apt-get update -q && for client in influxdb-client python3-influxdb npm prometheus collectd-core; do \
		apt-get install -y -q --no-install-recommends $$client; done; fi
	$(GO) test ./test/clients -count=1 -v -timeout 30m -args -clients -binary $(CURDIR)/bin/varved -telegraf $(CURDIR)/bin/telegraf

TELEGRAF_TAGS = custom,inputs.cpu,inputs.mem,inputs.disk,inputs.system,inputs.internal,inputs.influxdb,inputs.mock,inputs.prometheus,outputs.file,outputs.influxdb,outputs.influxdb_v2,parsers.influx,serializers.influx

bin/telegraf:
	CGO_ENABLED=0 GOBIN=$(CURDIR)/bin $(GO) install -tags '$(TELEGRAF_TAGS)' -ldflags '-s -w' github.com/influxdata/telegraf/cmd/telegraf@v1.39.3

# Measurements beside InfluxDB 1.8.10 and VictoriaMetrics 1.79: docs/performance.md
# says what each shows. ARGS are further flags, as ARGS='-rounds 1 -settle 5s'.
BENCH = build bin/influxd victoria-metrics
PEERS = -varved bin/varved -influxd bin/influxd

.PHONY: bench-ingest
bench-ingest: $(BENCH) ## writing beside the peers: CPU, memory, disk
	$(GO) run ./test/ingest $(PEERS) $(ARGS)

.PHONY: bench-bytes
bench-bytes: $(BENCH) ## bytes per value of many kinds of data beside the peers, and which come back changed
	$(GO) run ./test/bytes $(PEERS) $(ARGS)

.PHONY: bench-series
bench-series: $(BENCH) ## a million series: heap and CPU of each, start with a full log (ARGS='-series 10000000 -rows 1 -memory-limit 4g -cgroup 4g')
	$(GO) run ./test/series $(PEERS) $(ARGS)

.PHONY: bench-scan
bench-scan: ## scans and statistics per second of CPU
	$(GO) test ./tsm -run '^$$' -bench BenchmarkScan -benchtime 2s -count $(or $(ROUNDS),3)

.PHONY: bench-query
bench-query: $(BENCH) ## TSBS's queries over HTTP beside the peers: latency, CPU, the same answers (ARGS='-only lastpoint -peers ""')
	$(GO) run ./test/queries $(PEERS) $(ARGS)

.PHONY: bench-hour
bench-hour: build ## an hour of writing (ARGS='-duration 10m'): write amplification, what merging is owed, files, memory
	$(GO) run ./test/hour -varved bin/varved $(ARGS)

.PHONY: bench-connections
bench-connections: $(BENCH) ## 2,000 connections that write little, beside InfluxDB: CPU, syncs, latency
	$(GO) run ./test/connections $(PEERS) $(ARGS)

.PHONY: bench-auth
bench-auth: build ## what it costs to ask who sends a write, by password, token and JSON web token
	$(GO) run ./test/signed -varved bin/varved $(ARGS)

.PHONY: bench-idle
bench-idle: $(BENCH) ## 1,000 shards without writes, beside InfluxDB: start, heap, open files
	$(GO) run ./test/idle $(PEERS) $(ARGS)

# The reference of the benchmarks. It needs a C compiler.
bin/influxd:
	CGO_ENABLED=1 GOBIN=$(CURDIR)/bin $(GO) install -ldflags '-X main.version=1.8.10' github.com/influxdata/influxdb/cmd/influxd@v1.8.10

# Without it the measurements go on and say so.
.PHONY: victoria-metrics
victoria-metrics:
	@command -v victoria-metrics >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -y -q --no-install-recommends victoria-metrics; fi || true

# What three nodes take is given as so many times what one takes of the same
# load in the same run: the figures that begin with times-.
.PHONY: bench-cluster
bench-cluster: ## three nodes with three replicas beside one: CPU of a written value, latency of GROUP BY
	$(GO) test ./test/cluster -run '^$$' -bench BenchmarkIngest -benchtime 1x -count $(or $(ROUNDS),3) -timeout 60m
	$(GO) test ./test/cluster -run '^$$' -bench BenchmarkGroupBy -benchtime $(or $(QUERIES),50)x -timeout 60m

# What is released: static, and the same bytes from the same source wherever it
# lies (release-check). armv7 is the 32-bit of a Raspberry Pi.
PLATFORMS       = amd64 arm64 armv7
RELEASE_LDFLAGS = $(LDFLAGS) -buildid=

.PHONY: release
release: ## static binaries for linux on amd64, arm64 and armv7 under dist/, with bills of materials and SHA-256 sums
	@set -e; for p in $(PLATFORMS); do echo "== $$p"; \
		arch=$$p arm=; [ $$p != armv7 ] || arch=arm arm=7; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=$$arm $(GO) build -trimpath -buildvcs=false -ldflags '$(RELEASE_LDFLAGS)' -o dist/$$p/ ./cmd/varved ./cmd/varve; \
		$(GO) run ./test/sbom $(VERSION) dist/$$p/varve dist/$$p/varved >dist/$$p/sbom.cdx.json; \
	done; cd dist && sha256sum $(foreach p,$(PLATFORMS),$(p)/varve $(p)/varved $(p)/sbom.cdx.json) >SHA256SUMS && cat SHA256SUMS

.PHONY: release-check
release-check: ## make the release of HEAD in two directories with caches of their own, and compare
	GO=$(GO) packaging/reproducible.sh

NFPM_VERSION    = v2.43.1
# A version of Debian and rpm begins with a digit; what has no tag is older than all that have.
PACKAGE_VERSION = $(shell echo '$(VERSION)' | sed -E 's/^(v[^0-9]|[^v])/0.0.0~\1/; s/^v//; s/-/+/; s/-/./g')

bin/nfpm:
	CGO_ENABLED=0 GOBIN=$(CURDIR)/bin $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)

.PHONY: packages
packages: release bin/nfpm ## deb and rpm of the release under dist/
	@set -e; for p in $(PLATFORMS); do arch=$$p; [ $$p != armv7 ] || arch=arm7; for packager in deb rpm; do \
		PLATFORM=$$p ARCH=$$arch PACKAGE_VERSION=$(PACKAGE_VERSION) SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
			bin/nfpm package --config packaging/nfpm.yaml --packager $$packager --target dist/; \
	done; done

.PHONY: packages-check
packages-check: packages ## install the deb of this machine in a root of its own, start it as the unit does, remove it; needs root
	packaging/check.sh

.PHONY: image-steps
image-steps: ## the Dockerfile's steps as a script, where there is no Docker engine
	docker/steps.sh
