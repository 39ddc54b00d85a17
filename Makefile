# Two commands for a fresh machine: `make demo` shows drbot at work, `make test` proves it.

SHELL := /bin/bash
PLAY ?= database-corruption
# The range's demo secrets; a .env of yours wins.
DEMO := set -a; source range/demo.env; set +a;
# A play does not wait ten minutes until a version counts as good.
PLAYING := DRBOT_HEALTHY_FOR=$${DRBOT_HEALTHY_FOR:-5s} DRBOT_SAMPLE_EVERY=$${DRBOT_SAMPLE_EVERY:-5s}

.PHONY: help demo rehearse demo-down test check-machine peers format lint unit

help:
	@echo 'make demo        break a practice system and recover it, in a local Discord (PLAY=database-corruption, complete-failure, application-bug, network-partition, api-outage, database-down, nobody-answers)'
	@echo 'make rehearse    the practice system and a local Discord in the browser; breaking it is up to you'
	@echo 'make demo-down   take the practice system away'
	@echo 'make test        format, lints, unit, story and container tests'

TARGET := $${CARGO_TARGET_DIR:-target}

# Images wait for the network and compilers for the processor: both at once. `$(call with-images,COMMAND)`
with-images = range/images/build --no-bot & images=$$!; $(1) || { wait $$images; exit 1; }; wait $$images

# A debug build: it is there in half the time, and what the tests build serves it too.
demo: check-machine
	$(call with-images,cargo build --bin drbot --example trading-bot)
	RANGE_BOT_BINARY=$(TARGET)/debug/examples/trading-bot range/up
	rm -rf .drbot/rehearsal
	$(DEMO) $(PLAYING) $(TARGET)/debug/drbot --log warn rehearse --play $(PLAY)

# As the demo, but nothing is broken yet.
rehearse: check-machine
	$(call with-images,cargo build --bin drbot --example trading-bot)
	RANGE_BOT_BINARY=$(TARGET)/debug/examples/trading-bot range/up
	$(DEMO) $(TARGET)/debug/drbot --log warn rehearse

demo-down:
	range/down

test: check-machine
	$(call with-images,$(MAKE) --no-print-directory lint)
	$(MAKE) --no-print-directory unit

# Another bot library, to try the local Discord with.
peers: check-machine
	scripts/peers

check-machine:
	scripts/prepare

format:
	cargo fmt --check

lint: format
	cargo clippy --all-targets --features failpoints -- -D warnings
	scripts/shell-lint
	scripts/dependencies

# The stand-in trading bot is an example target, which `cargo test` builds with the tests.
# Stories wait for containers and clocks more than they compute: four at once keep two cores busy.
unit: peers
	cargo test --features failpoints --no-run
	RANGE_BOT_BINARY=$(TARGET)/debug/examples/trading-bot range/images/build
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} scripts/test
