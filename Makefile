# kassa. `make` says what there is. Cargo's own variables (CARGO_TARGET_DIR, CARGO_BUILD_JOBS) are left as the user set them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TARGET_DIR = $(or $(CARGO_TARGET_DIR),target)
SIZES ?= 1000000,10000000,50000000

.PHONY: help demo build test fresh stack dashboard tools bench bench-growth soak fuzz

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: tools dashboard ## Build what is needed and run the synthetic shop with its dashboard
	@echo "==> building kassa (the first time takes about ten minutes on two cores)"
	cargo build --locked -p kassa
	@echo "==> kassa demo"
	$(TARGET_DIR)/debug/kassa demo

build: tools dashboard ## The release program, at bin/kassa
	cargo build --locked --release -p kassa
	@mkdir -p bin && strip --strip-debug -o bin/kassa $(TARGET_DIR)/release/kassa
	@echo "==> bin/kassa"

test: ## Everything that must hold; installs what it needs and says so
	scripts/test

fresh: ## Both README commands in a fresh clone with an empty home (scripts/fresh --short: tools and licences only)
	scripts/fresh

stack: dashboard ## Start Kafka, a schema registry, PostgreSQL and S3 here, without containers, and say what to run next
	scripts/tools stack
	@echo "==> building kassa (the first time takes about ten minutes on two cores)"
	cargo build --locked --workspace --bin kassa --bin stack
	@$(TARGET_DIR)/debug/stack $(TARGET_DIR)/debug/kassa

tools: ## Check for (or install) what the build needs
	scripts/tools build

dashboard: dashboard/dist/index.html ## The web page

dashboard/dist/index.html: dashboard/package-lock.json $(shell find dashboard/src dashboard/index.html dashboard/public -type f 2>/dev/null)
	@echo "==> building the dashboard"
	cd dashboard && npm ci --no-audit --no-fund --loglevel=error && npm run build

bench: dashboard ## Records per CPU-second, beside what the parts alone reach
	scripts/bench

bench-growth: dashboard ## A shop of 1, 10 and 50 million records: what each size costs, against its bars (SIZES=200000,1000000: the quick form)
	scripts/bench $(SIZES) growth

soak: dashboard ## The long forms: seeded faults, kills, and whatever else takes hours (KASSA_RUNS=N whole-program runs, KASSA_SEED=N one alone)
	scripts/tools test
	cargo test --locked --workspace --lib --test contracts --test scenarios -- --ignored --nocapture --test-threads 1

fuzz: ## Every decoder under libFuzzer, from where it was left (FUZZ_SECONDS=60 each, FUZZ_TARGETS="json csv": only these)
	scripts/fuzz
