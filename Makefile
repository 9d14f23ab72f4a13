# Every target does its own set-up: `make search` or `make test` is all a fresh clone needs, and builds what it runs.
BUILD ?= build
JOBS ?= $(shell nproc)
# What `make search` searches on, and where it writes; everything else: ARGS="--seed 3 ...".
DATA ?= synthetic:8000?size=16
OUT ?= runs/search-$(shell date +%Y%m%d-%H%M%S)
ARGS ?=

CONFIGURE = cmake -S . -B $(BUILD) -G Ninja
EVERYTHING = -DADWP_TESTS=ON -DADWP_BENCH=ON -DADWP_EMULATED=ON -DADWP_CUDA=ON
COMPILE = cmake --build $(BUILD) -j $(JOBS)
SOURCES = $(shell git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

.PHONY: help setup build search test bench gpu-model lab course docs size format lint sanitize fuzz kills gpu-bundle gpu-check clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install missing packages (Debian, Ubuntu)
	@scripts/setup.sh

build: setup ## Build everything into build/: programs, tests, benches, and the device cuda where nvcc is found
	@$(CONFIGURE) $(EVERYTHING)
	@$(COMPILE)

# In a fresh folder only what it runs is built: no device emulated, and cuda only where there is a GPU.
search: setup ## Search on the synthetic data set, then train the finalists (1 to 3 minutes on 2 cores)
	@test -f $(BUILD)/build.ninja || $(CONFIGURE) -DADWP_TESTS=OFF -DADWP_BENCH=OFF -DADWP_EMULATED=OFF \
		-DADWP_CUDA=$$(nvidia-smi -L > /dev/null 2>&1 && echo ON || echo OFF)
	@$(COMPILE) --target search
	@$(BUILD)/apps/search --config apps/search/quick.toml --data "$(DATA)" --out "$(OUT)" $(ARGS)

test: build ## Build and run every test, those of cuda on the GPU or on an executor of their PTX
	@ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure

bench: setup ## Time the heaviest kernels on the shapes of the space cifar (a minute; build/bench/ has more)
	@$(CONFIGURE) $(EVERYTHING)
	@$(COMPILE) --target kernel_bench
	@$(BUILD)/bench/kernel_bench --benchmark_min_time=0.3 --benchmark_counters_tabular=true $(ARGS)

gpu-model: setup ## Model the time of each kernel on H100, H200, A100 and RTX 4090 from counts; needs nvcc, no GPU
	@command -v nvcc > /dev/null || { echo "error: [gpu-model] no nvcc here, expected a CUDA toolkit; see README.md" >&2; exit 1; }
	@$(CONFIGURE) $(EVERYTHING)
	@$(COMPILE) --target kernel_counts
	@$(BUILD)/tests/cuda/ptx/kernel_counts bench/gpu/candidate.json --precision bf16 --space cifar \
	  --out $(BUILD)/counts.json
	@bench/gpu_model/model.py $(BUILD)/tests/cuda/ptx/kernel_counts $(BUILD)/counts.json $(ARGS)

# Labs need no nvcc, tests or benches; a build folder that is there keeps its settings.
CONFIGURE_COURSE = test -f $(BUILD)/build.ninja || $(CONFIGURE) --log-level=WARNING -DADWP_TESTS=OFF -DADWP_BENCH=OFF \
	-DADWP_CUDA=OFF && cmake --log-level=WARNING -DADWP_COURSE=ON -DADWP_EMULATED=ON $(BUILD) > /dev/null

lab: ## Build and check a lab of the course: make lab N=1 (docs/course)
	@case "$(N)" in [1-6]) ;; *) echo "error: [lab] N is '$(N)', expected a lab from 1 to 6: make lab N=1" >&2; exit 2;; esac
	@scripts/setup.sh
	@$(CONFIGURE_COURSE)
	@JOBS=$(JOBS) course/lab.sh $(BUILD) $(N) "$(ANSWER)" $(ARGS)

course: setup ## Check every lab's reference solution, wrong solutions and pages
	@$(CONFIGURE_COURSE)
	@$(COMPILE) --target course
	@course/check_solutions.py $(BUILD) --wrong-only
	@BUILD=$(BUILD) course/check_pages.py

docs: setup ## Make the documentation and the course one static site, build/site
	@scripts/setup.sh docs
	@scripts/docs/build.sh $(BUILD)/site

size: ## Count code lines by folder, and of the core against its budget
	@scripts/size.py --check

sanitize: setup ## Tests and a tiny search under ASan and UBSan, kernels under TSan
	@scripts/sanitize.sh $(BUILD)-sanitize
	@scripts/sanitize_threads.sh $(BUILD)-threads

fuzz: setup ## Fuzz every parser, a minute each
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh 60 $(BUILD)-fuzz

kills: build ## Kill runs on several ranks 20 times, each continued on another number (minutes; needs mpirun)
	@tests/system/ranks.py $(BUILD) kills 20 $(ARGS)

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
