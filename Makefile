# qrealm: every command makes the virtual environment it needs and is quick the second time.
# `make help` lists them. Python files are used where they lie; only a changed kernel is compiled again.

PYTHON ?= python3
ARGS ?=
EXTRAS ?= dev

VENV := .venv
BENCH_VENV := benchmarks/.venv
PY := $(CURDIR)/$(VENV)/bin/python
BENCH_PY := $(CURDIR)/$(BENCH_VENV)/bin/python
PIP_FLAGS := --quiet --disable-pip-version-check
# What tests run with: `make test EXTRAS=dev,torch` brings PyTorch along.
comma := ,
DEV := $(VENV)/.$(subst $(comma),-,$(EXTRAS))
# cmake and ninja come from PyPI into .venv/bin, so a compiler is all that the machine must have.
WITH_TOOLS := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

KERNEL := CMakeLists.txt pyproject.toml $(shell find kernels -type f 2>/dev/null)
PACKAGE := $(KERNEL) $(shell find src -name '*.py' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow lint docs-check bench limits auto sweeps passes wheel clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## run the example circuits, print their counts, save a histogram in demo/
	@$(PY) examples/demo.py $(ARGS)

test: $(DEV) ## run the tests, but not the slow ones (ARGS="-k reader" to choose)
	@$(PY) -m pytest $(ARGS)

test-slow: $(DEV) ## run the slow tests
	@$(PY) -m pytest -m slow $(ARGS)

lint: $(DEV) ## check style (ruff) and types (mypy)
	@$(PY) -m ruff check .
	@$(PY) -m mypy

docs-check: $(DEV) ## run the code in README.md and docs/, read their YAML, check their links
	@$(PY) docs/check.py

bench: $(BENCH_VENV)/.ready ## measure qrealm beside other simulators (ARGS="--qubits 20 --families qft")
	@$(BENCH_PY) -m benchmarks $(ARGS)

limits: $(BENCH_VENV)/.ready ## measure what this machine can do, and how close qrealm comes
	@$(BENCH_PY) -m benchmarks.limits $(ARGS)

auto: $(BENCH_VENV)/.ready ## measure how good AUTO's choice of a backend is (ARGS="--only noisy")
	@$(BENCH_PY) -m benchmarks.auto $(ARGS)

sweeps: $(BENCH_VENV)/.ready ## measure parameter sweeps beside other simulators
	@$(BENCH_PY) -m benchmarks.sweep $(ARGS)

passes: $(BENCH_VENV)/.ready ## measure what each idea of the kernel is worth (ARGS="--qubits 20 --families qft")
	@$(BENCH_PY) -m benchmarks.passes $(ARGS)

wheel: $(VENV)/.made ## build a wheel into dist/
	@$(WITH_TOOLS) $(PY) -m pip wheel $(PIP_FLAGS) --no-build-isolation --no-deps --wheel-dir dist .

clean: ## remove everything that the other commands made
	rm -rf $(VENV) $(BENCH_VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "qrealm needs Python 3.11 or newer; '$(PYTHON)' was not found. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "qrealm needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@command -v "$${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { echo "qrealm needs a C++20 compiler (g++ 11 or clang 14, or newer). On Debian and Ubuntu: apt-get install g++" >&2; exit 1; }
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install $(PIP_FLAGS) "scikit-build-core>=0.10" "nanobind>=2.2" "cmake>=3.20" "ninja>=1.10"
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(KERNEL)
	@echo "building the kernel, installing qrealm into $(VENV)" >&2
	@$(WITH_TOOLS) $(PY) -m pip install $(PIP_FLAGS) --no-build-isolation --editable '.[plot]'
	@touch $@

$(DEV): $(VENV)/.made $(KERNEL)
	@echo "building the kernel, installing qrealm and its test tools into $(VENV)" >&2
	@$(WITH_TOOLS) $(PY) -m pip install $(PIP_FLAGS) --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@ $(VENV)/.demo

# The benchmark environment gets a wheel, as a user would, not the working tree.
$(BENCH_VENV)/.made: benchmarks/requirements.txt $(VENV)/.made
	@echo "making $(BENCH_VENV) with the other simulators" >&2
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_PY) -m pip install $(PIP_FLAGS) -r benchmarks/requirements.txt
	@touch $@

$(BENCH_VENV)/.ready: $(BENCH_VENV)/.made $(PACKAGE)
	@echo "building a wheel of qrealm for $(BENCH_VENV)" >&2
	@rm -rf build/wheel
	@$(WITH_TOOLS) $(PY) -m pip wheel $(PIP_FLAGS) --no-build-isolation --no-deps --wheel-dir build/wheel .
	@$(BENCH_PY) -m pip install $(PIP_FLAGS) build/wheel/*.whl
	@$(BENCH_PY) -m pip install $(PIP_FLAGS) --force-reinstall --no-deps build/wheel/*.whl
	@touch $@
