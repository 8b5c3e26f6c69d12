"""Reasons that are true: one is given only if it explains every wrong entry of every case that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from rnnkit.testing.diagnosis import LeafFinding
from rnnkit.testing.examine import Finding

SEARCHED: Final = 3
"""Failing cases with the same leaves that are searched for a reason, before none is given."""


def reasoned(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of the failing cases of a plugin, one of them explained, and the others ready to be sent.

    A law that is broken explains itself, and mostly wrong gradients too. Else the case with the most reasons is
    explained, the earlier one of two.
    """
    families: dict[tuple[str, ...], list[int]] = {}
    if all(finding.diagnosis is not None for finding in findings):
        for i, finding in enumerate(findings):
            families.setdefault(_leaves(finding), []).append(i)
    best, told = -1, Finding()
    for places in families.values():
        for i in places[:SEARCHED]:
            explained = _borne_out(findings[i].explained(), [findings[j] for j in places])
            if best < 0 or _reasons(explained) > _reasons(told):
                best, told = i, explained
            if all(leaf.hint or leaf.right for leaf in explained.leaves):
                break
        if _reasons(told):  # what other leaves would say follows from it
            break
    return [
        told if i == best else attrs.evolve(finding, diagnosis=None)
        for i, finding in enumerate(findings)
    ]


def _reasons(finding: Finding) -> int:
    return sum(bool(leaf.hint) for leaf in finding.leaves)


def _leaves(finding: Finding) -> tuple[str, ...]:
    assert finding.diagnosis is not None
    return tuple(finding.diagnosis.judge.example.leaves)


def _borne_out(finding: Finding, others: Sequence[Finding]) -> Finding:
    """A finding without the reasons that do not explain what is wrong in other cases."""

    def kept(leaf: LeafFinding) -> LeafFinding:
        for other in others if leaf.hint else ():
            assert other.diagnosis is not None
            if not other.diagnosis.bears_out(leaf.name, leaf.hint):
                return attrs.evolve(leaf, hint="")
        return leaf

    return attrs.evolve(finding, leaves=tuple(map(kept, finding.leaves)))
