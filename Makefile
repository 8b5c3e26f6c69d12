# Two commands for a fresh machine with python3: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin
ZOO := .venv-zoo/bin
NOTEBOOK := .venv-notebook/bin

.PHONY: demo test test-all how-long style types zoo-types mutants bench scaling docs notebook format clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

data/scenes: | .venv/ready
	$(BIN)/rnnkit data demo data/scenes

# Generate pictures, train on them, caption pictures that the network has not seen, and judge the captions.
demo: .venv/ready data/scenes
	@rm -rf runs/demo
	$(BIN)/rnnkit build specs/scenes.toml
	$(BIN)/rnnkit train specs/scenes.toml --out runs/demo
	$(BIN)/rnnkit caption runs/demo --data data/scenes --split val --n 8
	$(BIN)/python examples/judge_scenes.py runs/demo data/scenes
	$(BIN)/rnnkit caption runs/demo data/scenes/images/val/00000.png

# As many tests at a time as there are cores, each with one thread for its matrix products.
TOGETHER := -n auto --maxprocesses 8 --dist worksteal
test test-all: export OMP_NUM_THREADS := 1
test: WHICH := -m "not heavy"

test test-all: how-long .venv/ready .venv-zoo/ready
	@$(MAKE) --no-print-directory -j2 style types zoo-types
	$(BIN)/pytest $(TOGETHER) $(WHICH)
	cd plugins/rnnkit_zoo && ../../$(ZOO)/python -m pytest

how-long:
	@echo "On two idle cores this takes about five minutes, on busy ones ten."

style:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types:
	$(BIN)/mypy

zoo-types:
	cd plugins/rnnkit_zoo && ../../$(ZOO)/python -m mypy

# The zoo is a third party to rnnkit: rnnkit's own tests run where it is not installed.
.venv-zoo/ready: pyproject.toml plugins/rnnkit_zoo/pyproject.toml
	$(PYTHON) -m venv .venv-zoo
	$(ZOO)/python -m pip install --quiet --disable-pip-version-check -e . -e "plugins/rnnkit_zoo[dev]"
	@touch $@

# The documentation, into site/.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Wrong gradients by the thousand: does the harness find them all? Writes docs/mutants.md.
mutants: .venv/ready
	$(BIN)/python -m tests.mutants.run

.venv-bench/ready: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check -e . -r benchmarks/requirements.txt
	@touch $@

# Speed and memory beside PyTorch, JAX and plain NumPy, on Linux. Writes docs/performance.md; for all options:
# make bench BENCH_ARGS=--help
bench: .venv-bench/ready
	$(BENCH)/python -m benchmarks $(BENCH_ARGS)

# Training in more than one process, on Linux: measured here, and projected to 1,024. For all options:
# make scaling SCALING_ARGS=--help; with --docs it writes docs/scaling.md.
scaling: .venv/ready
	$(BIN)/python -m benchmarks.scaling $(SCALING_ARGS)

.venv-notebook/ready: pyproject.toml
	$(PYTHON) -m venv .venv-notebook
	$(NOTEBOOK)/python -m pip install --quiet --disable-pip-version-check -e ".[plots]" nbconvert ipykernel
	@touch $@

# Run the notebook in Jupyter, from data of its own, and store it with its outputs.
notebook: .venv-notebook/ready
	@rm -rf examples/data
	$(NOTEBOOK)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False examples/rnn_captioning.ipynb

format: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venv-bench .venv-zoo .venv-notebook site .mypy_cache .pytest_cache .ruff_cache dist
