# Everything a person does here is a target. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/bin
STAMPS := .stamps
UV_VERSION := 0.13.9
# Arguments of `make run`, for example ARGS="--data bars.csv".
ARGS ?=
# Seed of the Rust property tests: fixed, so that a run can be repeated.
SEED ?= 1

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Our own setting; a caller's PYTHONPATH must not shadow the pinned environment.
unexport PYTHONPATH

PROTOS := $(wildcard protos/aetherion/v1/*.proto)
GO_SOURCES := $(shell find trading -name '*.go' -not -path 'trading/gen/*' 2>/dev/null) trading/go.mod trading/go.sum
RUST_SOURCES := $(shell find risk -name '*.rs' -not -path 'risk/target/*' 2>/dev/null) $(wildcard risk/Cargo.* risk/*/Cargo.toml)

##@ Run

.PHONY: run
run: build ## Set up, build, start both services, trade real data, write a report (ARGS="--data PATH")
	@$(VENV)/bin/aetherion run $(ARGS)

.PHONY: run-go-service run-rust-service run-python-client
run-go-service: build ## Start the Trading Service in this terminal
	@$(VENV)/bin/aetherion data prepare-demo
	@$(BIN)/aetherion-trading
run-rust-service: build ## Start the Risk Service in this terminal
	@$(BIN)/aetherion-risk
run-python-client: build ## Trade against the two services running in other terminals
	@$(VENV)/bin/aetherion client $(ARGS)

##@ Build

.PHONY: setup
setup: $(STAMPS)/setup ## Make the virtual environment with pinned tools, fetch Go and Rust dependencies

$(STAMPS)/venv:
	@command -v go >/dev/null || { echo "go is missing: install Go 1.26 or later"; exit 1; }
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or later"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or later is needed (make PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/python: orchestrator/requirements.lock orchestrator/pyproject.toml | $(STAMPS)/venv
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r orchestrator/requirements.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --editable orchestrator
	@touch $@

$(STAMPS)/fetched: trading/go.sum risk/Cargo.lock | $(STAMPS)/venv
	cd trading && go mod download
	cd risk && cargo fetch --locked --quiet
	@touch $@

$(STAMPS)/setup: $(STAMPS)/python $(STAMPS)/fetched
	@touch $@

.PHONY: generate
generate: $(STAMPS)/generated ## Generate Go, Rust and Python from protos/

$(STAMPS)/generated: $(PROTOS) buf.gen.yaml | $(STAMPS)/setup
	buf generate
	$(VENV)/bin/python -m grpc_tools.protoc -I protos --python_out=orchestrator/src --grpc_python_out=orchestrator/src \
		--mypy_out=quiet:orchestrator/src --mypy_grpc_out=quiet:orchestrator/src $(PROTOS)
	touch orchestrator/src/aetherion/v1/__init__.py
	cd risk && cargo build --quiet --release --locked -p risk-service
	@touch $@

.PHONY: build
build: $(STAMPS)/python $(STAMPS)/generated $(BIN)/aetherion-trading $(BIN)/aetherion-exchange $(BIN)/aetherion-risk ## Build the services into bin/

$(BIN)/aetherion-trading: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -o $@ ./cmd/aetherion-trading

$(BIN)/aetherion-exchange: $(STAMPS)/generated $(GO_SOURCES) trading/cmd/aetherion-exchange/instruments.json
	cd trading && go build -o $@ ./cmd/aetherion-exchange

$(BIN)/aetherion-risk: $(STAMPS)/generated $(RUST_SOURCES)
	cd risk && cargo build --quiet --release --locked -p risk-service
	@mkdir -p $(BIN) && cp risk/target/release/aetherion-risk $@.new && mv $@.new $@ && touch $@

$(BIN)/queue-fills: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -o $@ ./cmd/queue-fills

# hftbacktest, which our fill models are compared with, in an environment of its own: its numpy is older than ours.
$(STAMPS)/hftbacktest: tests/reference/hftbacktest.lock | $(STAMPS)/venv
	$(VENV)/bin/uv venv --quiet --clear --python $(VENV)/bin/python $(STAMPS)/venv-hftbacktest
	$(VENV)/bin/uv pip install --quiet --python $(STAMPS)/venv-hftbacktest/bin/python --no-deps --require-hashes -r $<
	@touch $@

.PHONY: lock
lock: $(STAMPS)/venv ## Resolve the Python dependencies again and write the lock file
	cd orchestrator && uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --extra demo --extra notebook --extra dev pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## Remove everything generated or built, and the virtual environment
	rm -rf $(VENV) $(STAMPS) $(BIN) risk/target trading/gen orchestrator/src/aetherion/v1 runs
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis orchestrator/.pytest_cache orchestrator/.mypy_cache orchestrator/.ruff_cache

##@ Check

.PHONY: test
test: lint test-go test-rust test-python test-cross ## Lint, then all suites; each prints its count

.PHONY: test-go test-rust test-python test-cross
test-go: build $(BIN)/pretrade-stdio ## Go tests (SEED=N: another seed of the random ones)
	@cd trading && AETHERION_SEED=$(SEED) go test -count=1 -race -timeout 5m ./... -json | $(CURDIR)/$(VENV)/bin/python $(CURDIR)/tests/count_go.py
test-rust: build ## Rust tests (SEED=N: another seed of the random ones)
	@cd risk && PROPTEST_RNG_SEED=$(SEED) cargo test --locked --quiet --workspace
test-python: build ## Python tests
	@cd orchestrator && $(CURDIR)/$(VENV)/bin/pytest -q tests
test-cross: build $(BIN)/queue-fills $(BIN)/bench-md $(BIN)/pretrade-stdio $(BIN)/aetherion-trading-failpoints $(STAMPS)/hftbacktest ## Tests that span services, with real processes
	@$(VENV)/bin/pytest -q -c orchestrator/pyproject.toml --rootdir . tests

.PHONY: lint
lint: build ## buf, gofmt, go vet, staticcheck, rustfmt, clippy, ruff, mypy
	buf lint
	buf format --diff --exit-code
	@test -z "$$(cd trading && gofmt -l cmd internal)" || { echo "gofmt wants to change:"; cd trading && gofmt -l cmd internal; exit 1; }
	cd trading && go vet ./... && go tool staticcheck ./cmd/... ./internal/...
	cd risk && cargo fmt --check && cargo clippy --quiet --release --locked --workspace --all-targets -- -D warnings
	cd orchestrator && ruff check --quiet --config pyproject.toml . ../tests ../bench
	cd orchestrator && ruff format --quiet --check --config pyproject.toml . ../tests ../bench
	cd orchestrator && mypy

.PHONY: proto-breaking
proto-breaking: $(STAMPS)/python ## Compare the contract with main
	buf breaking --against '.git#ref=refs/heads/main'

.PHONY: chaos
N ?= 300
chaos: build $(BIN)/aetherion-trading-failpoints ## Kill or hinder processes N times with orders in flight (SEED=, FAULTS=drop=0.02,lose=0.02)
	@$(VENV)/bin/python tests/chaos.py --cycles $(N) --seed $(SEED) --fault-rates '$(FAULTS)'

$(BIN)/aetherion-trading-failpoints: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -tags failpoints -o $@ ./cmd/aetherion-trading

.PHONY: sim soak-sim
sim: build $(BIN)/aetherion-sim $(BIN)/pretrade-stdio ## The whole order path in virtual time under faults (SEED=N, ARGS="-steps 4000 -faults 400")
	@cd trading/internal/simtest && $(BIN)/aetherion-sim -test.run 'TestSeed$$' -test.v -test.timeout 24h -seed $(SEED) $(ARGS)
soak-sim: build $(BIN)/aetherion-sim $(BIN)/pretrade-stdio ## 10,000 seeds of it, from SEED on (some hours)
	@cd trading/internal/simtest && $(BIN)/aetherion-sim -test.run 'TestSeeds$$' -test.v -test.timeout 24h -seed $(SEED) -seeds 10000 $(ARGS)

$(BIN)/aetherion-sim: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go test -c -o $@ ./internal/simtest

$(BIN)/pretrade-stdio: $(STAMPS)/generated $(RUST_SOURCES)
	cd risk && cargo build --quiet --release --locked -p risk-service --example pretrade_stdio
	@mkdir -p $(BIN) && cp risk/target/release/examples/pretrade_stdio $@.new && mv $@.new $@ && touch $@

.PHONY: soak-chaos
soak-chaos: ## Ten thousand cycles of chaos, each hundred with a seed and a venue of its own (two hours)
	@for seed in $$(seq 1 50); do $(MAKE) chaos N=100 SEED=$$seed && $(MAKE) chaos N=100 SEED=$$seed FAULTS=$(SOAK_FAULTS) || exit 1; done
SOAK_FAULTS := drop=0.02,delay=0.02,duplicate=0.02,reorder=0.02,lose=0.02

.PHONY: soak-bitflips
soak-bitflips: build ## Every single-bit flip of a 1 MiB journal, all 8,388,608 (a few minutes)
	@cd trading && AETHERION_SOAK=1 go test -count=1 -timeout 60m -v -run 'TestBitFlips$$' ./internal/journal

.PHONY: soak-fuzz
INPUTS ?= 1000000
soak-fuzz: build ## INPUTS random inputs for every decoder, a million each (a quarter of an hour)
	@cd trading && grep -rn '^func Fuzz' --include='*_test.go' . | sed -E 's,^\./(.*)/[^/]*:[0-9]*:func (Fuzz[A-Za-z]*).*,\1 \2,' \
		| while read -r folder name; do echo "$$folder $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(INPUTS)x "./$$folder" || exit 1; done
	@cd risk && AETHERION_FUZZ_CASES=$$(($(INPUTS) / 10)) cargo test --locked --release -p risk-service --lib fuzz::every_event

.PHONY: soak-model
soak-model: build ## A million random commands through real services, held against the independent model (half an hour)
	@AETHERION_MODEL_COMMANDS=100000 AETHERION_MODEL_SESSIONS=10 $(VENV)/bin/pytest -q -s -c orchestrator/pyproject.toml --rootdir . tests/test_model.py

##@ Measure

.PHONY: bench
bench: bench-stream bench-matching bench-risk bench-orders bench-streams bench-replay ## All benchmarks

.PHONY: bench-stream
bench-stream: build $(BIN)/bench-bare-stream ## Rows a second from Go to a Python handler, beside the bare gRPC stream of the same bytes
	@$(VENV)/bin/python bench/stream.py

$(BIN)/bench-bare-stream: $(STAMPS)/generated trading/cmd/bench-bare-stream/main.go
	cd trading && go build -o $@ ./cmd/bench-bare-stream

.PHONY: bench-orders
bench-orders: build $(BIN)/bench-orders $(BIN)/bench-trading-profile ## The order path under load, beside a bare gRPC echo and fdatasync (ARGS=--quick)
	@$(VENV)/bin/python bench/orders.py $(ARGS)

.PHONY: bench-streams
bench-streams: build $(BIN)/bench-orders ## What a hundred frozen readers cost nine hundred others (ARGS=--quick)
	@$(VENV)/bin/python bench/streams.py $(ARGS)

.PHONY: bench-replay
bench-replay: build ## How long a start takes on a journal of a million events
	@$(VENV)/bin/python bench/replay.py

$(BIN)/bench-orders: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -o $@ ./cmd/bench-orders

$(BIN)/bench-trading-profile: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -tags profile -o $@ ./cmd/aetherion-trading

.PHONY: bench-matching
bench-matching: build ## Commands a second of the matching engine, beside an array book and a book in C
	@$(VENV)/bin/python bench/matching.py

.PHONY: bench-md
bench-md: build $(BIN)/bench-md ## Decoding venues' market data into books, beside a plain JSON parse of the same bytes
	@$(VENV)/bin/python bench/md.py

$(BIN)/bench-md: $(STAMPS)/generated $(GO_SOURCES)
	cd trading && go build -o $@ ./cmd/bench-md

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What only benchmarks need: the peers.
$(STAMPS)/bench: bench/requirements.lock | $(STAMPS)/python
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --require-hashes -r $<
	@touch $@

.PHONY: bench-risk
bench-risk: build $(STAMPS)/bench ## Risk numerics beside numpy, scipy, QuantLib and the machine's floors (ARGS=--quick)
	cd risk && cargo build --quiet --release --locked -p risk-core --example bench_risk
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python bench/risk.py $(ARGS)
