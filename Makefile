# The door to everything; CI uses the same targets.
.PHONY: install build web run demo test bench lint

SECONDS ?= 0

install:
	@scripts/install

web: install
	@scripts/build-web

build: install web
	@cargo build --workspace --bins

run: build
	@cargo run --quiet --bin proscenium -- serve

demo: build
	@scripts/demo $(SECONDS)

test:
	@scripts/test

bench: build
	@scripts/bench

lint: install
	@scripts/lint
