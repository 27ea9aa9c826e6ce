# Everything here needs Go and make only; `make test` installs the rest (see `make help`).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Tools, each pinned; built by the go command into a folder of this checkout, under a name with its version.
GOFUMPT      := v0.12.0
GOLANGCI     := v2.15.0
GOVULNCHECK  := v1.9.0
DEADCODE     := v0.52.0
TOOLS        := bin/tools
gofumpt      := $(TOOLS)/gofumpt-$(GOFUMPT)
golangci     := $(TOOLS)/golangci-lint-$(GOLANGCI)
govulncheck  := $(TOOLS)/govulncheck-$(GOVULNCHECK)
deadcode     := $(TOOLS)/deadcode-$(DEADCODE)

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The packages whose tests take longest are begun first.
LONGEST  := ./internal/e2e ./proxy ./backend/cassandra ./internal/cache ./cmd/forebay ./backend/kafka ./internal/testkit ./internal/leasemodel ./internal/session ./internal/linear
# What tests would wait for: the race detector's second at the end of each of a hundred processes, and Java's second compiler, which costs servers that
# live for minutes more than it saves.
FAST     := GORACE='$(GORACE) atexit_sleep_ms=50' JDK_JAVA_OPTIONS='$(JDK_JAVA_OPTIONS) -XX:TieredStopAtLevel=1'

ONCE     ?=
QUICK    ?=
PKG      ?= $(LONGEST) ./...
RUN      ?= .
FUZZTIME ?= 20s
COUNT    ?= 5
SOAK     ?= 2m
FILES    ?=
FRESH    ?=

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  variables: ONCE=1 (run), QUICK=1 (bench), PKG=./proxy RUN=TestName (test, test-short, bench-go, soak), FUZZTIME=$(FUZZTIME), COUNT=$(COUNT) (bench-go, soak), SOAK=$(SOAK), TEST_SEED=n (soak)"
	@echo "  FILES=tests/test_lock.py,tests/test_pubsub.py (compat: redis-py's files), FRESH=1 (compat: not on from where an interrupted run stopped)"
	@echo "  running servers for tests: TEST_CASSANDRA_ADDR=host:port, TEST_KAFKA_BROKER=host:port; their jars: TEST_CACHE_DIR=~/.cache/forebay-test"
	@echo "  torch, where it is installed: TEST_TORCH_PYTHON=path of its python"

.PHONY: build
build: ## build bin/forebay, one static file
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/forebay ./cmd/forebay

.PHONY: run
run: build ## build, serve the bundled digits, read them for two epochs and keep serving; ONCE=1 ends after that
	@ONCE=$(ONCE) go run ./examples/demo -forebay bin/forebay

.PHONY: test
test: install ## run every test, on real Redis, Cassandra and Kafka (10 minutes at most)
	@go build -o bin/withservers ./internal/testkit/cmd/withservers
	@$(FAST) bin/withservers -- go test -race -timeout 9m -run '$(RUN)' $(PKG)

.PHONY: test-short
test-short: ## run the tests that need no servers
	@go test -short -run '$(RUN)' $(PKG)

.PHONY: install
install: ## install what the tests need, as root with apt; else print the command
	@internal/testkit/install.sh

.PHONY: lint
lint: $(gofumpt) $(golangci) $(govulncheck) $(deadcode) ## check formatting, vet, golangci-lint, known vulnerabilities, dead code
	@unformatted=$$($(gofumpt) -l .); [ -z "$$unformatted" ] || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	@go vet ./...
	@$(golangci) run ./...
	@dead=$$($(deadcode) -test ./...); [ -z "$$dead" ] || { echo "$$dead"; exit 1; }
	@$(MAKE) vulnerabilities

# Status 3 means that something was found; any other, that the database could not be asked.
.PHONY: vulnerabilities
vulnerabilities: $(govulncheck)
	@out=$$($(govulncheck) ./... 2>&1) && status=0 || status=$$?; \
	case $$status in \
	0) ;; \
	3) echo "$$out"; exit 1 ;; \
	*) echo "known vulnerabilities were not checked: $${out##*$$'\n'}" ;; \
	esac

.PHONY: fmt
fmt: $(gofumpt) ## format every Go file
	@$(gofumpt) -w .

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@git grep --untracked -El '^func Fuzz' -- '*_test.go' | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$dir"/*_test.go | while read -r target; do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "./$$dir" </dev/null; \
		done; \
	done

.PHONY: soak
soak: install ## run every test COUNT times, to find those that fail now and then; random ones for SOAK each
	@go build -o bin/withservers ./internal/testkit/cmd/withservers
	@TEST_SOAK=$(SOAK) $(FAST) bin/withservers -- go test -race -timeout 0 -count $(COUNT) -run '$(RUN)' $(PKG)

.PHONY: compat
compat: install build ## compare with Redis by redis-py's own tests and by programs of other clients (10 minutes)
	@go build -o bin/compat ./internal/compat/cmd/compat
	@bin/compat -forebay bin/forebay -files '$(FILES)' $(if $(FRESH),-fresh)

# Without QUICK there is a Kafka beside it, for what events cost; no Cassandra, as nothing is loaded.
.PHONY: bench
bench: build ## compare with Redis itself and twemproxy, in turns, then cold epochs; writes bench/README.md and charts (15 minutes; QUICK=1: two, into bin/bench)
ifneq ($(QUICK),)
	@go run ./bench -quick
else
	@go build -o bin/withservers ./internal/testkit/cmd/withservers
	@TEST_CASSANDRA_ADDR=none bin/withservers -- go run ./bench
endif
	@$(MAKE) bench-epoch

.PHONY: bench-slow
bench-slow: build install ## measure small GETs beside a slow reader of 47 MB, and ten readers of it, on a real Cassandra
	@go build -o bin/withservers ./internal/testkit/cmd/withservers
	@bin/withservers -- go run ./bench/slowreader

.PHONY: bench-epoch
bench-epoch: build install ## measure cold epochs through Forebay and by cache-aside code in Python, on a real Cassandra (5 minutes; QUICK=1: one)
	@go build -o bin/withservers ./internal/testkit/cmd/withservers
	@TEST_KAFKA_BROKER=none bin/withservers -- go run ./bench/epoch $(if $(QUICK),-rounds 1 -samples 12288 -aside 1000 -singles 300 -out bin/bench)

.PHONY: bench-go
bench-go: ## run the Go benchmarks COUNT times, as benchstat reads them
	@go test -run '^$$' -bench '$(RUN)' -benchmem -count $(COUNT) $(PKG)

.PHONY: up
up: ## start Forebay with Redis, Cassandra, Kafka and Prometheus in containers
	@docker compose -f docker/compose.yaml up --build --detach --wait

.PHONY: down
down: ## stop the containers and remove their data
	@docker compose -f docker/compose.yaml down --volumes

.PHONY: clean
clean: ## remove what was built here
	@rm -rf bin

# install-tool PACKAGE VERSION: a tool is put under its name at the end, so that a broken build leaves nothing that looks whole.
define install-tool
	@mkdir -p $(TOOLS)
	@tmp=$$(mktemp -d $(TOOLS)/build.XXXXXX); trap 'rm -rf "$$tmp"' EXIT; \
	GOBIN="$$PWD/$$tmp" GOFLAGS= go install $(1)@$(2); mv "$$tmp"/* $@
endef

$(gofumpt):
	$(call install-tool,mvdan.cc/gofumpt,$(GOFUMPT))

$(golangci):
	$(call install-tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI))

$(govulncheck):
	$(call install-tool,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK))

$(deadcode):
	$(call install-tool,golang.org/x/tools/cmd/deadcode,$(DEADCODE))
