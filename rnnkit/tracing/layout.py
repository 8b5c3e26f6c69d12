"""Statements in lines that are not too long."""

from __future__ import annotations

from typing import Final

LINE: Final = 100
"""Characters of a line at most."""


def wrapped(line: str, indent: int = 8) -> list[str]:
    """A statement in lines that are not too long: what stands between its last outer brackets gets lines of its own."""
    if len(line) + indent <= LINE:
        return [line]
    ends = _outer(line)
    if ends is None:
        return [line]
    start, end = ends
    parts = _between_commas(line[start + 1 : end])
    if len(parts) < 2:
        return [line[: start + 1], *(f"    {p}" for p in wrapped(parts[0], indent + 4)), line[end:]]
    if len(", ".join(parts)) + indent + 4 <= LINE:
        return [line[: start + 1], f"    {', '.join(parts)}", line[end:]]
    inside = [f"    {w}" for part in parts for w in wrapped(f"{part},", indent + 4)]
    return [line[: start + 1], *inside, line[end:]]


def _outer(line: str) -> tuple[int, int] | None:
    """Where the longest pair of brackets begins and ends that is in no other."""
    found, depth, start = [], 0, 0
    for i, c in enumerate(line):
        if c in "([{":
            if not depth:
                start = i
            depth += 1
        elif c in ")]}":
            depth -= 1
            if not depth and c != "]":
                found.append((start, i))
    return max(found, key=lambda pair: pair[1] - pair[0], default=None)


def _between_commas(text: str) -> list[str]:
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]
