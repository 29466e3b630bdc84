# What is checked, each part in one place: .ci/run calls the same targets.

GO ?= go
GOLANGCI ?= $(shell $(GO) env GOPATH)/bin/golangci-lint
GOLANGCI_VERSION = v2.15.0

.PHONY: check format vet lint short test ci cross size bench api release clean

check: format vet lint short ## before every commit

format: ## no file that gofmt would change
	@bad=$$(git ls-files -z -- '*.go' | xargs -0 gofmt -l); \
	[ -z "$$bad" ] || { echo "not formatted: $$bad"; exit 1; }

vet:
	$(GO) vet ./... ./testdata/demo

lint: $(GOLANGCI) ## .golangci.yml
	$(GOLANGCI) run ./...

$(GOLANGCI):
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

short: ## the tests without those that take long; what has not changed comes from the cache
	$(GO) test -short ./...

test: ## all tests that need no other programs
	$(GO) test -race ./...

ci: ## everything, on a fresh Debian machine as root: real servers too
	.ci/run

cross: ## the program builds for the systems that it is released for
	.ci/release --check

size: ## the stripped program stays under 44.9 MB
	.ci/release --size

bench: ## the benchmarks, for comparison with the commit before (golang.org/x/perf/cmd/benchstat)
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHFLAGS) ./...

api: ## accept a change of the public API: testdata/api
	$(GO) test ./internal/repotest -run '^TestPublicAPI$$' -update

release: ## dist/: static binaries and their checksums, VERSION=v1.2.3
	.ci/release $(VERSION)

clean:
	rm -rf dist
