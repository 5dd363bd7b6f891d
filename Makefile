# berth: everything a developer or a new user types. `make help` lists it.
# What a target needs on the machine it installs itself through apt when it may.

SHELL       := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0

GO          ?= go
VERSION     ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || echo "0.0.0-dev+$$(git rev-parse --short HEAD 2>/dev/null || echo unknown)")
COMMIT      ?= $(shell git describe --always --abbrev=12 --exclude '*' --dirty=+dirty 2>/dev/null)
BUILT       ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS     := -s -w -X berth/engine/release.version=$(patsubst v%,%,$(VERSION)) -X berth/runtime/cli.version=$(patsubst v%,%,$(VERSION)) \
	-X berth/engine/release.commit=$(COMMIT) -X berth/engine/release.built=$(BUILT)
FUZZTIME    ?= 30s
PREFIX      ?= /usr/local
DESTDIR     ?=

.PHONY: help run build test test-race bench peers fuzz test-vm lint picture clean install

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build berth, make the starter image and open the console
	@testdata/scripts/run bin/berth

build: ## build bin/berth, one static file
	@mkdir -p bin
	$(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/berth ./cmd/berth

install: build ## put berth into /usr/local/bin, with units, man pages and completions
	install -D -m 0755 bin/berth $(DESTDIR)$(PREFIX)/bin/berth
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's#/usr/local/bin/#$(PREFIX)/bin/#' cmd/berth/systemd/berth.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/berth.service
	install -m 0644 cmd/berth/systemd/berth.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/berth.socket
	bin/berth man $(DESTDIR)$(PREFIX)/share/man/man1
	@mkdir -p $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	bin/berth completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berth
	bin/berth completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_berth
	bin/berth completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/berth.fish
	@# The units give the socket to the group. A package makes the group itself.
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || getent group berth >/dev/null || groupadd --system berth

test: ## run everything that can be tested on this machine
	@testdata/scripts/test

lint: ## gofmt, go vet, staticcheck
	@testdata/scripts/lint

bench: build ## measure berth beside dockerd, runc, crun and podman
	@testdata/scripts/bench bin/berth

peers: build ## have dockerd, containerd and podman run containers on berth's runtime, and dockerd beside berth
	@testdata/scripts/peers bin/berth
	@testdata/scripts/beside bin/berth

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@FUZZTIME=$(FUZZTIME) testdata/scripts/fuzz

test-vm: ## run the integration tests under cgroup v2, in a virtual machine
	@testdata/scripts/test-vm

picture: build ## draw the README's picture from the real console
	@testdata/scripts/picture

clean: ## remove what make has built
	rm -rf bin
