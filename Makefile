# demo test test-postgres-versions build release lint format install deb clean
# To measure: bench microbench flamegraph callgrind heap coverage. To harden: sanitize fuzz.
.DEFAULT_GOAL := build
.PHONY: demo test test-postgres-versions build release lint format install deb clean deps manuals session \
	bench microbench flamegraph callgrind heap coverage sanitize fuzz profiling-deps

SWIFT ?= swift

# Start-up is what a one-shot command is judged by: the Swift library is linked statically, at a fixed address
# (no PIE, so fewer relocations), without unused sections and symbols. libstdc++, which the Swift runtime needs, is
# found in a directory that holds nothing but its archive: loading the shared one costs 0.7 ms of 7 at every start.
STATIC_LIBRARIES := .build/static-libraries
# As Sources/CBuild packs it: 7 digits, a bit for "known", a bit for "changed since".
COMMIT := $(shell scripts/commit.sh)
RELEASE := -c release --static-swift-stdlib -Xswiftc -use-ld=lld \
	-Xlinker -L$(CURDIR)/$(STATIC_LIBRARIES) -Xlinker -no-pie -Xlinker --gc-sections -Xlinker -s \
	-Xlinker --defsym=ironforge_commit=$(COMMIT)

deps:
	@scripts/install-deps.sh

build: deps
	$(SWIFT) build

release: deps
	@mkdir -p $(STATIC_LIBRARIES)
	@archive=$$(clang -print-file-name=libstdc++.a); \
	if [ -f "$$archive" ]; then ln -sf "$$archive" $(STATIC_LIBRARIES)/libstdc++.a; fi
	$(SWIFT) build $(RELEASE) --product ironforge
	$(SWIFT) build $(RELEASE) --product ironforge-serve
	@ls -l .build/release/ironforge .build/release/ironforge-serve

test: deps
	$(SWIFT) build --build-tests
	SWIFT="$(SWIFT)" scripts/test.sh

# The other versions of PostgreSQL from 13 to 18, for what reads their catalogs and plans.
test-postgres-versions: deps
	scripts/test-postgres-versions.sh

demo: release
	scripts/demo.sh

# All of SPEC section 7, each figure beside its peer: RUNS=7 for more rounds, scripts/bench.sh P3 for one line.
bench: release
	scripts/bench.sh

# Single functions, and wallets on a server: Benchmarks/Micro.
microbench: release
	scripts/microbench.sh

profiling-deps:
	@scripts/install-deps.sh profiling

# Where a command's time goes, as an SVG file. WHAT=transfer, batch, warmup or audit; ROWS, USERS and INDEXES its size.
flamegraph: deps profiling-deps
	scripts/profile.sh flamegraph $(WHAT)

# Its instructions, counted by valgrind: the same number at every run. WHAT=version, transfer or batch; without, the first two.
callgrind: deps profiling-deps
	@for what in $(or $(WHAT),version transfer); do scripts/profile.sh callgrind $$what || exit; done

# Who asks for memory when there is most of it. WHAT=batch, warmup or audit.
heap: deps profiling-deps
	scripts/profile.sh heap $(WHAT)

# FILTER='JSON|CSV' for some of the tests only, here and in sanitize.
coverage: deps
	FILTER='$(FILTER)' scripts/coverage.sh

# SANITIZER=thread or address for one of them only.
sanitize: deps
	@for sanitizer in $(or $(SANITIZER),thread address); do \
		FILTER='$(FILTER)' scripts/sanitize.sh $$sanitizer || exit; done

# libFuzzer on each parser of text from outside. TARGET=json for one of them, SECONDS=600 for longer.
fuzz: deps
	SECONDS_EACH=$(or $(SECONDS),60) scripts/fuzz.sh $(TARGET)

# PREFIX is where, DESTDIR a directory to put it into as if it were the root.
PREFIX ?= /usr/local
# Under sudo it takes what the caller has built (`make release manuals`), and builds nothing in the caller's tree.
ifdef SUDO_UID
install:
else
install: release manuals
endif
	DESTDIR="$(DESTDIR)" scripts/install.sh "$(PREFIX)"

deb: release manuals
	scripts/make-deb.sh

# The picture of a terminal in the README, out of what the commands really print.
session: release
	scripts/record-session.sh

# The tool of swift-argument-parser that makes manual pages out of the commands' help.
manuals:
	$(SWIFT) build --product generate-manual

SWIFT_FILES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Micro Fuzz/Package.swift Fuzz/Sources
lint:
	$(SWIFT) format lint --strict --recursive $(SWIFT_FILES)

format:
	$(SWIFT) format --in-place --recursive $(SWIFT_FILES)

clean:
	$(SWIFT) package clean
