# The only entry point; CI calls the same targets. What they need and build lies in
# ${XDG_CACHE_HOME:-~/.cache}/standpipe, what `make run` delivers in ./.standpipe.

.DEFAULT_GOAL := help
.PHONY: help run test check bench prove advisories generate

help: ## print this
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: ## build the agent, send it real records, show what was delivered; Ctrl-C drains
	@bash e2e/rigs/quickstart.sh

test: ## everything that must hold: checks, unit tests, the built agent under faults
	@bash e2e/rigs/test.sh

check: ## format, lints, documentation, what may come into the build
	@bash e2e/rigs/check.sh

bench: ## figures, as ratios to what the machine can do
	@bash e2e/rigs/bench.sh

prove: ## the same tests with far larger counts; hours
	@bash e2e/rigs/prove.sh

advisories: ## known vulnerabilities in dependencies; needs the network's database
	@bash e2e/rigs/advisories.sh

generate: ## write the generated files again: the CRD
	@bash e2e/rigs/generate.sh
