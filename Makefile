# The door to everything; CI uses the same targets.
.PHONY: install build web run demo test sync faults soak soak-fuzz bench bless lint

SECONDS ?= 0
MINUTES ?= 120
ROUNDS ?= 100

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

# Sync of browsers and aiortc beside our own publisher; on a quiet machine.
sync: build
	@scripts/install test
	@.venv/bin/python -m pytest tests/e2e/test_sync.py -p no:cacheprovider -q -s --every-source

# S3 away for ten minutes, an RTMP server for longer than its retries last, a composition starved for three steps of its ladder;
# a quarter of an hour.
faults: build
	@scripts/install test
	@.venv/bin/python -m pytest tests/e2e/test_s3_faults.py tests/e2e/test_rtmp_faults.py tests/e2e/test_degradation.py -p no:cacheprovider -q -s --outage 600 --steps 3

# Churn and faults for hours, every recording is verified; then hostile input: make soak MINUTES=30 ROUNDS=10
soak: build
	@scripts/install test
	@.venv/bin/python tests/soak/soak.py --minutes $(MINUTES)
	@scripts/soak-fuzz $(ROUNDS)

# Hostile input, ROUNDS times as much as in `make test`, from a new seed, which it prints.
soak-fuzz: install
	@scripts/soak-fuzz $(ROUNDS)

bench: build
	@scripts/bench

# What the golden journals of tests/golden compose to, after a change that is meant to change it.
bless: install
	@BLESS=1 cargo test --workspace --test golden -- --test-threads=1 hashes

lint: install
	@scripts/lint
