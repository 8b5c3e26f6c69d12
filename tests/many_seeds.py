"""Every check of plugins and specs with many base seeds: no right gradient may fail.

python -m tests.many_seeds [COUNT] [PACKAGE | FILE[::CLASS] ..]

COUNT is 200 unless given. The plugins are those of installed packages, as `rnnkit-zoo` in .venv-zoo, or in files. With
none named they are rnnkit's own, and every spec in specs/ too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rnnkit.testing.report import explain
from rnnkit.testing.targets import Target, installed, named, of_spec, run

SPECS = Path(__file__).parents[1] / "specs"


def targets(names: tuple[str, ...]) -> Iterator[Target]:
    """What the names on the command line stand for."""
    for name in names:
        found = named(name) if ".py" in name else list(installed(name))
        if not found:
            sys.exit(f"{name}: no installed package of this name has plugins")
        yield from found
    if not names:
        yield from installed("rnnkit")
        yield from map(of_spec, sorted(SPECS.glob("*.toml")))


def main(count: int = 200, *names: str) -> int:
    chosen = list(targets(names))
    checks, failed, worst = 0, 0, 0.0
    for seed in range(count):
        reports = [run(target, seed) for target in chosen]
        checks += sum(report.checks for report in reports)
        worst = max(worst, *(report.worst for report in reports))
        for report in reports:
            if not report.ok:
                failed += 1
                print(explain(report, seed))
        print(
            f"{seed + 1} of {count} seeds, {checks:,} checks: {failed} failures, worst error {worst:.1e}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(int(words[0]) if words else 200, *words[1:]))
