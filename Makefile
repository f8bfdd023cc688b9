# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0

staticcheck = honnef.co/go/tools/cmd/staticcheck@v0.8.2
errcheck = github.com/kisielk/errcheck@v1.30.0
fuzztime = 30s

# Guests in Go: vetted and checked as what they are, programs for wasip1.
wasip1 = GOOS=wasip1 GOARCH=wasm
guests = $$($(wasip1) go list -e -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' ./sdk/go/... 2>/dev/null; \
	$(wasip1) go list -e -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./examples/... 2>/dev/null)

.PHONY: help run build test check check-generated toolchains bench fuzz generate clean

help: ## print this
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build wasmill and its first example with nothing but Go, and run it
	$(wasip1) go build -buildmode=c-shared -o examples/flights/movements.wasm ./examples/flights/go
	bin/wasmill run examples/flights/pipeline.yaml

build: ## build bin/wasmill
	go build -o bin/wasmill ./cmd/wasmill

test: toolchains check ## install what guests need, check, run all tests; what CI runs
	@export WASMILL_REQUIRE_TOOLCHAINS=$${WASMILL_REQUIRE_TOOLCHAINS:-$$(if [ "$$CI" = true ] || command -v apt-get >/dev/null; then echo 1; fi)}; \
	race=$$(if command -v $$(go env CC) >/dev/null; then echo -race; else echo "no C compiler: testing without the race detector" >&2; fi); \
	go build -o .cache/bin/testsum ./.ci/testsum && \
	.cache/bin/testsum -short ./... -- $$race -short -timeout 20m ./... -- -timeout 20m ./...

check: .cache/bin/staticcheck .cache/bin/errcheck check-generated ## format, vet, staticcheck, errcheck, layers, licences, generated files
	@files=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$files" ]; then echo "not formatted; run: gofmt -w" $$files; exit 1; fi
	go vet ./... ./.ci/testsum
	.cache/bin/staticcheck ./... ./.ci/testsum
	.cache/bin/errcheck ./... ./.ci/testsum
	@guests="$(guests)"; if [ -n "$$guests" ]; then \
	echo "go vet and staticcheck of guests, for wasip1"; \
	$(wasip1) go vet $$guests && $(wasip1) .cache/bin/staticcheck $$guests; fi
	go test -count=1 ./cmd/lint

check-generated:
	@.ci/check-generated

toolchains: ## install the compilers that guests need (Debian, Ubuntu), or say what to install
	@.ci/toolchains

bench: ## run all benchmarks
	@echo "machine: $$(go version | cut -d' ' -f3-), $$(go env GOARCH), $$(getconf _NPROCESSORS_ONLN) cpus," \
	"$$(awk -F': ' '/model name/ { print $$2; exit }' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string)"
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## run each fuzz target for a while (fuzztime=30s)
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(fuzztime) $$pkg; \
		done; \
	done

generate: ## make the generated files again
	go generate ./...

clean: ## remove what was built, and the compilers in .cache
	rm -rf bin .cache

# The versions stand above: when this file changes, they may have.
.cache/bin/staticcheck: Makefile
	GOBIN=$(CURDIR)/.cache/bin go install $(staticcheck)
	@touch $@

.cache/bin/errcheck: Makefile
	GOBIN=$(CURDIR)/.cache/bin go install $(errcheck)
	@touch $@
