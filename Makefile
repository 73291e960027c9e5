# What each target needs it makes or installs first. Go is always needed; Node.js for the web pages and browser tests.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Empty where Node.js is missing or older than the web pages' tools take.
NODE := $(shell command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' >/dev/null 2>&1 && command -v npm)
WEB_FILES := $(shell git ls-files -co --exclude-standard web 2>/dev/null | grep -v '_test.go$$')

# What go test would vet, lint does.
GO_TEST := go tool gotestsum --format pkgname-and-test-fails -- -race -vet=off -parallel 4 -timeout 12m

.PHONY: help run demo private-postgres build web generate verify lint test test-setup bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Start everything against a stand-in for ClickUp on this machine, with tasks to import; no account needed
	@$(MAKE) --no-print-directory private-postgres
	go build -trimpath -o bin/patchbay-demo ./demo
	@exec bin/patchbay-demo

run: build ## Start everything: web pages, private PostgreSQL, key, server; prints the link to open
	@$(MAKE) --no-print-directory private-postgres
	@exec bin/patchbay serve --generate-key

# PostgreSQL's programs, where they are needed and the machine has none.
private-postgres:
	@if [ -z "$${DATABASE_URL:-}" ] && [ -n "$(NODE)" ] && { bin/patchbay postgres bindir 2>&1 >/dev/null || true; } | grep -q 'no PostgreSQL'; then \
		echo "This machine has no PostgreSQL: installing one for development"; \
		$(MAKE) --no-print-directory tools/postgres/node_modules/.package-lock.json; \
	fi

build: web ## Build bin/patchbay, the web pages inside
	@mkdir -p bin
	go build -trimpath -ldflags '-X main.builtVersion=$(VERSION)' -o bin/patchbay .

ifneq ($(NODE),)
web: web/dist/gallery/index.html ## Build the web pages, which go into the binary
else
web:
	@echo "Node.js 20.19, 22.12 or later is missing: the web pages (gallery, GraphiQL, logos) are left out; the API works without them."
endif

web/dist/gallery/index.html: $(WEB_FILES) schema.graphqls web/node_modules/.package-lock.json
	npm --prefix web run --silent build
	@touch $@

# Every folder of npm packages is installed from its own lock file.
%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error
	@touch $@

generate: ## Write the generated code anew
	go tool gqlgen generate

verify: ## Prove that generated code, go.mod and the example operations are fresh
	./scripts/verify

lint: ## Look for mistakes in the code
	@unformatted=$$(gofmt -l *.go bench demo e2e/*.go graph internal migrations web/*.go); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
ifneq ($(NODE),)
	@$(MAKE) --no-print-directory web/dist/gallery/index.html # whose build checks the types
endif

# The browsers' tests run by themselves: what waits for a processor fails in ways that are nobody's fault.
test: test-setup ## Run every test, with the race detector; installs what they need
ifneq ($(NODE),)
	npm --prefix web run --silent test
endif
	$(GO_TEST) $$(go list ./... | grep -v '/e2e$$')
	PATCHBAY_E2E_REQUIRED=$$([ -n "$(NODE)" ] && command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null && echo 1 || true) $(GO_TEST) ./e2e

test-setup: web
	@./scripts/test-setup
ifneq ($(NODE),)
	@$(MAKE) --no-print-directory e2e/node_modules/.package-lock.json tools/postgres/node_modules/.package-lock.json
endif

bench: test-setup ## Measure against a floor in the same run
	go test -run '^$$' -bench . -benchtime 3s ./bench .

clean: ## Remove what was built; data and keys in .patchbay stay
	rm -rf bin web/node_modules e2e/node_modules tools/postgres/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
