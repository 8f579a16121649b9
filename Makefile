# demo test test-postgres-versions build release bench lint format install deb clean
.DEFAULT_GOAL := build
.PHONY: demo test test-postgres-versions build release bench lint format install deb clean deps manuals session

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

# A few tests at a time: all at once, servers and commands would share two cores by the hundred and miss bounds that
# are generous for one.
test: deps
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --parallel --experimental-maximum-parallelization-width 6

# PostgreSQL 16 and 18, for what reads their catalogs.
test-postgres-versions: deps
	scripts/test-postgres-versions.sh

demo: release
	scripts/demo.sh

bench: release
	scripts/bench.sh

# PREFIX is where, DESTDIR a directory to put it into as if it were the root.
PREFIX ?= /usr/local
install: release manuals
	DESTDIR=$(DESTDIR) scripts/install.sh $(PREFIX)

deb: release manuals
	scripts/make-deb.sh

# The picture of a terminal in the README, out of what the commands really print.
session: release
	scripts/record-session.sh

# The tool of swift-argument-parser that makes manual pages out of the commands' help.
manuals:
	$(SWIFT) build --product generate-manual

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

clean:
	$(SWIFT) package clean
