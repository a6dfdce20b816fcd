PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := $(VENV)/.setup
MODELS := $(VENV)/.models
# Where the system has no compiler, Zig's, which is a package, builds the native part. pip hides
# packages from what it builds, so Zig is called by its path.
ZIG    := $$($(BIN)/python -c "import ziglang; print(*ziglang.__path__)")/zig
COMPILER := $(if $(shell command -v $(CXX)),,CC="$(ZIG) cc" CXX="$(ZIG) c++")
PLATFORM := manylinux_2_28_x86_64
GLIBC    := -target x86_64-linux-gnu.2.28
# Those for which wheels are checked.
PYTHONS  ?= $(PYTHON)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint types lit pytest sanitize format bench papers performance conformance models docs wheels check-wheels clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## Install Ramiel and its tools into .venv

demo: $(SETUP) ## Compile a model and watch it run in parallel
	$(BIN)/python -m ramiel.tools.demo

test: lint types lit pytest ## Run every check

lint: $(SETUP) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The variable keeps pyright from asking the network whether a newer version exists.
types: $(SETUP) ## Check types
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

lit: $(SETUP) ## Run the tests on IR
	$(BIN)/lit -v test

pytest: $(MODELS) ## Run the unit and numerical tests
	$(BIN)/python -m pytest -n 2 --durations=30 --durations-min=3

sanitize: ## Run the native part under ThreadSanitizer and AddressSanitizer
	mkdir -p build
	for kind in thread address,undefined; do \
		$(CXX) -std=c++17 -O1 -g -fopenmp -fsanitize=$$kind -pthread -rdynamic native/*.cpp -ldl \
			-o build/stress \
			&& build/stress || exit 1; \
	done

format: $(SETUP) ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(SETUP) ## Measure compile time; see benchmarks/ for others
	$(BIN)/python benchmarks/compile_time.py

# Without models, the page is written from existing results.
papers: $(SETUP) ## Repeat the papers' measurements of ONNX="a.onnx b.onnx"; write docs/papers.md
	$(BIN)/python -m pip install -c constraints.txt -e '.[bench]'
	$(if $(ONNX),$(BIN)/python benchmarks/papers.py $(ONNX))
	$(BIN)/python benchmarks/papers_page.py

performance: $(SETUP) ## Measure ONNX="a.onnx b.onnx" against other runtimes; write docs/performance.md
	$(BIN)/python -m pip install -c constraints.txt -e '.[bench]'
	$(if $(ONNX),$(BIN)/python benchmarks/performance.py $(ONNX))
	$(BIN)/python benchmarks/performance_page.py

conformance: $(MODELS) ## Run ONNX's backend tests and write docs/conformance.md
	$(BIN)/python test/conformance/table.py

models: $(MODELS) ## Install the real models that the tests compile

# A link or an anchor that is not there is a warning, and fails; links to other sites are not followed.
docs: $(SETUP) ## Build the documentation into build/docs/html
	$(BIN)/python -m pip install -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/pages.py build/docs/source
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m sphinx -q -E -W --keep-going -c docs \
		-d build/docs/doctrees build/docs/source build/docs/html

# Zig links against the glibc of 2018, which is PyTorch's least, and auditwheel checks that it does.
wheels: $(SETUP) ## Build the wheels and the source distribution into dist/
	$(BIN)/python -m pip install -c constraints.txt -e '.[wheels]'
	rm -rf dist build/wheels
	RAMIEL_NATIVE=0 $(BIN)/python -m build --outdir dist
	CC="$(ZIG) cc $(GLIBC)" CXX="$(ZIG) c++ $(GLIBC)" \
		$(BIN)/python -m build --outdir build/wheels
	PATH="$(BIN):$$PATH" $(BIN)/auditwheel repair --plat $(PLATFORM) --wheel-dir dist build/wheels/*.whl

check-wheels: ## Install and test dist/'s wheels under each of PYTHONS="python3.11 python3.12"
	for python in $(PYTHONS); do $(PYTHON) test/wheels.py $$python || exit 1; done

clean: ## Remove the files of builds and tests, except .venv
	rm -rf build dist *.egg-info out .lit .hypothesis .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# The stamp files repeat an installation only when its dependencies change.
$(SETUP): pyproject.toml constraints.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(if $(COMPILER),$(BIN)/python -m pip install ziglang)
	$(COMPILER) $(BIN)/python -m pip install -c constraints.txt -e '.[test,dev]'
	@touch $@

$(MODELS): test/models.txt $(SETUP)
	$(BIN)/python -m pip install --no-deps -r test/models.txt
	@touch $@
