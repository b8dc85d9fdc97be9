# Every target is one line into scripts/, so that nothing here needs make.
.PHONY: help serve demo test check chaos bench requirements clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 22

serve: ## everything on this machine at http://127.0.0.1:8080, MLLM_PORT for another port
	@scripts/serve

demo: ## the same against a local double of the hub, nothing leaves this machine
	@scripts/demo

check: ## format, lint, types, layers and the fast tests
	@scripts/check

test: ## everything that CI runs
	@scripts/test

chaos: ## kill, stop and wipe at random; SEEDS=10 JOBS=300 KILLS=20 DATABASE=both
	@scripts/chaos

bench: ## measurements, printed
	@scripts/bench

requirements: ## compile requirements/ afresh; UPGRADE=1 takes newer versions
	@scripts/requirements

clean: ## remove what was built, not .demo or any state
	@scripts/clean
