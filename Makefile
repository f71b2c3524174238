# The targets that people and CI use; `make` alone lists them.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
LDFLAGS  = -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 1

# The C code of SQLite, translated to Go, is not ours to watch, starts no goroutine, and
# takes three times as long under the race detector. The acceptance tests build a server
# with the same flags, so that all is compiled once.
RACE     = -race -gcflags=modernc.org/sqlite/lib=-race=false

# Compilers and tests spend a fifth of their time collecting garbage in a small heap.
check unit acceptance: export GOGC ?= 400
check unit acceptance: export GOMEMLIMIT ?= 2GiB

# Tests wait for the disk thousands of times, with data that nobody keeps: they are in
# memory where there is plenty of it. That a process is killed, memory survives as well.
SCRATCH  = $(shell awk '$$2 == "/dev/shm" && $$4 !~ /noexec/ {print $$2; exit}' /proc/mounts 2>/dev/null | while read -r folder; do \
	[ -w $$folder ] && [ "$$(df -Pk $$folder | awk 'NR == 2 {print $$4}')" -gt 4000000 ] && awk '/MemAvailable/ {exit $$2 < 8000000}' /proc/meminfo && echo $$folder; done)
ifndef TMPDIR
unit acceptance: export TMPDIR = $(or $(SCRATCH),/tmp)
endif

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

.PHONY: run
run: ## start the whole system in ./data
	$(GO) run ./cmd/tenure serve

.PHONY: build
build: ## build one static binary, bin/tenure
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/tenure ./cmd/tenure

.PHONY: test
test: tools check unit acceptance ## everything that CI runs

# The race detector wants a C compiler, the README's tour bash and curl, the tests
# of views in Redis a redis-server and those of brokers a RabbitMQ that they start
# themselves, those of sign-in Node.js, for a provider that npm installs into a
# temporary folder.
.PHONY: tools
tools: ## install what the tests need besides Go
	@missing=; command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	for tool in bash curl redis-server; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	ls /usr/lib/rabbitmq/lib >/dev/null 2>&1 || missing="$$missing rabbitmq-server"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; fi

.PHONY: check
check: ## formatter, vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags testhooks ./...
	$(GO) vet ./cmd/tenure # the rest of it
	$(GO) tool staticcheck ./...

# The HTTP layer makes its API anew for each test, which the race detector makes ten
# times slower; the acceptance tests have a server with the detector under load. The domain
# starts no goroutine. What go vet says, check has said.
.PHONY: unit
unit: ## every package but the acceptance tests, most with the race detector
	$(GO) test -vet=off $(RACE) $$($(GO) list ./... | grep -v -e /acceptance -e /httpapi$$ -e /domain)
	$(GO) test -vet=off ./httpapi ./domain/...

.PHONY: acceptance
acceptance: ## the rows of the requirements, against the real program
	$(GO) test -vet=off -count=1 -timeout 12m ./acceptance/...

.PHONY: soak
soak: ## 50 kills at random moments under load, and a minute of many nodes in a storm
	$(GO) test -count=1 -timeout 30m -run 'TestCrash|TestNodes_Storm|TestConcurrency' ./acceptance/... -kills=50 -storm=1m -riot=20s

.PHONY: fuzz
fuzz: ## each fuzz target for 30 seconds
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime 30s -fuzzminimizetime 10x $$package || exit 1; \
		done; \
	done

.PHONY: bench
bench: ## the figures and ratios of docs/benchmarks.md, on this machine
	$(GO) run ./acceptance/bench

.PHONY: docs
docs: ## write the tables of docs/operators.md and docs/policies
	$(GO) test ./cmd/tenure -run OperatorsPage -update
	$(GO) test ./policies -run Pages -update
	$(GO) test -count=1 ./acceptance -run TestMatrix -update

.PHONY: golden
golden: ## write golden files that do not exist yet
	$(GO) test ./eventstore/codec ./mail -update

.PHONY: mail-domains
mail-domains: ## renew the list of public mail domains from the npm package free-email-domains
	@folder=$$(mktemp -d) && package=$$folder/node_modules/free-email-domains && \
	npm install --silent --no-save --ignore-scripts --prefix $$folder free-email-domains && \
	echo "# From the npm package free-email-domains, version $$(node -p "require('$$package/package.json').version"); its license stands beside this file." > $$folder/public.txt && \
	node -p "[...new Set(require('$$package/domains.json').map(d => d.trim().toLowerCase()))].sort().join('\n')" >> $$folder/public.txt && \
	cp $$package/LICENSE.md commands/maildomain/LICENSE.free-email-domains.md && mv $$folder/public.txt commands/maildomain/ && rm -r $$folder
