# Two commands for a fresh machine with python3: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test mutants format clean

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

test: .venv/ready
	$(BIN)/mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest

# Wrong gradients by the thousand: does the harness find them all? Writes docs/mutants.md.
mutants: .venv/ready
	$(BIN)/python -m tests.mutants.run

format: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache dist
