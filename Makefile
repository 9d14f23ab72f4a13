# Every target does its own set-up: `make search` or `make test` is all a fresh clone needs.
BUILD ?= build
JOBS ?= $(shell nproc)
# What `make search` searches on, and where it writes; everything else: ARGS="--seed 3 ...".
DATA ?= synthetic:8000?size=16
OUT ?= runs/search-$(shell date +%Y%m%d-%H%M%S)
ARGS ?=

SOURCES = $(shell git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

.PHONY: help setup build search test bench size format lint sanitize fuzz gpu-bundle gpu-check clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install missing packages (Debian, Ubuntu)
	@scripts/setup.sh

build: setup ## Configure and build everything into build/
	@cmake -S . -B $(BUILD) -G Ninja -DADWP_TESTS=ON -DADWP_BENCH=ON
	@cmake --build $(BUILD) -j $(JOBS)

search: build ## Search on the synthetic data set, then train the finalists (3 minutes on 2 cores)
	@$(BUILD)/apps/search --config apps/search/quick.toml --data "$(DATA)" --out "$(OUT)" $(ARGS)

test: build ## Build and run every test
	@ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure

bench: build ## Time the heaviest kernels on the shapes of the space cifar (a minute; build/bench/ has more)
	@$(BUILD)/bench/kernel_bench --benchmark_min_time=0.3 --benchmark_counters_tabular=true $(ARGS)

size: ## Count code lines by folder, and of the core against its budget
	@scripts/size.py --check

sanitize: setup ## Tests and a tiny search under ASan and UBSan, kernels under TSan
	@scripts/sanitize.sh $(BUILD)-sanitize
	@scripts/sanitize_threads.sh $(BUILD)-threads

fuzz: setup ## Fuzz every parser, a minute each
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh 60 $(BUILD)-fuzz

gpu-bundle: build ## Make a folder that checks and measures everything on a machine with a GPU
	@scripts/gpu_bundle.sh $(BUILD) $(BUILD)-gpu dist/gpu-bundle

gpu-check: gpu-bundle ## Run that folder's check here
	@dist/gpu-bundle/gpu_check.sh

format: ## Format every source file
	@scripts/setup.sh lint
	@clang-format -i $(SOURCES)

lint: build ## Check format and run clang-tidy
	@scripts/setup.sh lint
	@clang-format --dry-run --Werror $(SOURCES)
	@run-clang-tidy -quiet -p $(BUILD) -j $(JOBS) 'main/(framework|cpu|data|nas|apps)/'

clean: ## Remove the build folders
	@rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-threads $(BUILD)-fuzz $(BUILD)-gpu dist
