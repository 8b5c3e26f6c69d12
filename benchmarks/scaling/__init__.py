"""Training in more than one process: measured here, and projected to 1,024 ranks: `make scaling`.

python -m benchmarks.scaling --data DIR

What is measured goes into a JSON file (`measures`), what follows from it is computed anew for each page (`fits`,
`model`, `projection`), so that `python -m benchmarks.scaling.page FILE.json` writes the page again.
"""
