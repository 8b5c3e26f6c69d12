"""Every check of every built-in plugin and of every spec with many base seeds: no right gradient may fail.

python -m tests.many_seeds [COUNT]
"""

from __future__ import annotations

import sys
from pathlib import Path

from rnnkit.testing.report import explain
from rnnkit.testing.targets import installed, of_spec, run

SPECS = Path(__file__).parents[1] / "specs"


def main(count: int = 200) -> int:
    targets = [*installed("rnnkit"), *map(of_spec, sorted(SPECS.glob("*.toml")))]
    checks, failed, worst = 0, 0, 0.0
    for seed in range(count):
        reports = [run(target, seed) for target in targets]
        checks += sum(report.checks for report in reports)
        worst = max(worst, *(report.worst for report in reports))
        for report in reports:
            if not report.ok:
                failed += 1
                print(explain(report, seed), flush=True)
    print(f"{count} seeds, {checks:,} checks, {failed} targets failed; worst error {worst:.1e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
