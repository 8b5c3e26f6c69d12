"""The command: see the package."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections import Counter, defaultdict
from typing import Final

from tests.hostile.many import outcomes
from tests.hostile.worker import KINDS, Outcome, plain

SHOWN: Final = 20
"""How many inputs are printed of each sort that must not be."""


def main() -> int:
    """1 if anything happened that must not."""
    parser = argparse.ArgumentParser("python -m tests.hostile")
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(KINDS))
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    begun = time.monotonic()
    codes: Counter[tuple[str, int]] = Counter()
    wrong: dict[str, list[Outcome]] = defaultdict(list)
    accepted: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    slowest = largest = 0.0
    with contextlib.suppress(KeyboardInterrupt):  # what is known by then is told
        for found in outcomes(args.count, args.seed, args.only or list(KINDS), args.workers):
            codes[found.kind, found.code] += 1
            for fault in found.faults:
                wrong[f"{fault}: {plain(found.said)}"].append(found)
            if found.accepted is not None:
                accepted[found.kind, found.accepted].append(found)
                if not found.accepted:
                    wrong["accepted, and nobody knows why"].append(found)
            slowest, largest = max(slowest, found.seconds), max(largest, found.memory)
    print(
        f"{codes.total():,} inputs of seed {args.seed} in {time.monotonic() - begun:.0f} s; at most {slowest:.1f} s of the "
        f"processor and {largest / 2**20:.0f} MiB each"
    )
    for (kind, code), n in sorted(codes.items()):
        print(f"  {kind}: exit {code}: {n:,}")
    nonsense = sum(map(len, accepted.values()))
    print(f"\nNonsense that is accepted, and why: {nonsense:,}")
    for (kind, why), those in sorted(accepted.items()):
        print(f"  {kind}: {len(those):,}: {why or 'NOBODY KNOWS'}")
        print(f"    such as {those[0].number}: {those[0].label[:100]!a}: {those[0].call[:100]!a}")
    print(f"\nMust not be: {sum(map(len, wrong.values())):,}")
    for what, those in sorted(wrong.items(), key=lambda item: -len(item[1])):
        print(f"  {len(those)} x {what!a}")
        for one in those[:SHOWN]:
            print(f"    {one.kind} {one.number}: {one.label[:100]!a}: {one.call[:300]!a}")
            print(f"      {one.said[-300:]!a}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
