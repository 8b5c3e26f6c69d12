"""Pages in HTML: one for each student, and one for the teacher. All texts are escaped; no page loads anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from rnnkit.system.terminal import shown as harmless
from rnnkit.testing.functions.assignment import Assignment
from rnnkit.testing.grading.results import shown
from rnnkit.testing.grading.verdicts import Outcome, Verdict

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .9rem .2rem 0; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: rgb(128 128 128 / .12); padding: .7rem; border-radius: .4rem; }
.right { color: #2a7d33; } .wrong { color: #c43028; }
@media (prefers-color-scheme: dark) { .right { color: #7fce86; } .wrong { color: #ff8f86; } }
.bar { display: inline-block; height: .8rem; background: #00897b; border-radius: .15rem; }
.wide { overflow-x: auto; }
@media (max-width: 30rem) { th, td { padding-right: .5rem; } h1 { font-size: 1.5rem; } }
"""
_MOST: Final = 40
"""Rows of a table of patterns."""


def student_page(assignment: Assignment, verdict: Verdict) -> str:
    """What one student sees: points of each task, and what is wrong, as far as the assignment shows it."""
    seen = [outcome for outcome in verdict.outcomes if outcome.show != "nothing"]
    rows = [
        _row(
            escape(outcome.name),
            *(_mark(outcome, name) for name in ("values", "gradients")),
            numbers=[f"{outcome.earned:g} / {outcome.points:g}"],
        )
        for outcome in seen
    ]
    hidden = len(verdict.outcomes) - len(seen)
    parts = [
        f"<h1>{_text(assignment.title)}</h1>",
        f"<p><strong>{_text(verdict.name)}</strong>: {sum(o.earned for o in seen):g} of "
        f"{sum(o.points for o in seen):g} points{' in what is shown' if hidden else ''}</p>",
        *(f'<p class="wrong">{_text(note)}</p>' for note in verdict.notes),
        _table(["function", "values", "gradients", ">points"], rows),
        *(section for outcome in seen for section in _wrong(outcome)),
    ]
    if verdict.printed:
        parts += ["<h2>What it printed</h2>", f"<pre>{_text(verdict.printed)}</pre>"]
    return _page(f"{verdict.name}: {assignment.title}", parts)


def class_page(assignment: Assignment, verdicts: Sequence[Verdict]) -> str:
    """What the teacher sees: the distribution, what fails most and how, answers that are wrong alike, everybody."""
    total = assignment.points
    mean = sum(v.earned for v in verdicts) / len(verdicts)
    parts = [
        f"<h1>{_text(assignment.title)}</h1>",
        f"<p>{len(verdicts)} submissions, {total:g} points, mean {mean:.1f}.</p>",
        f"<p>{_in_force(verdicts)}</p>",
        "<h2>Distribution</h2>",
        _distribution([v.earned for v in verdicts], total),
        "<h2>What fails</h2>",
        _failing(verdicts),
        "<h2>Wrong alike</h2>",
        *_alike(verdicts),
        "<h2>Everybody</h2>",
        _everybody(assignment, verdicts),
    ]
    return _page(assignment.title, parts)


def _wrong(outcome: Outcome) -> Iterator[str]:
    wrong = {name: part for name, part in outcome.parts.items() if not part.right}
    if wrong and outcome.show == "explanation":
        yield f"<h2>{_text(outcome.name)}</h2>"
        told = dict.fromkeys(shown(outcome, name, part) for name, part in wrong.items())
        yield from (f"<pre>{_text(text)}</pre>" for text in told)


def _mark(outcome: Outcome, name: str) -> str:
    part = outcome.parts.get(name)
    if part is None:
        return ""
    return '<span class="right">right</span>' if part.right else '<span class="wrong">wrong</span>'


def _in_force(verdicts: Sequence[Verdict]) -> str:
    """What submissions could not do; that it is not enough against an attack."""
    locks = Counter(lock for v in verdicts for lock in v.locked)
    said = "; ".join(_text(lock) for lock in locks) or "limits on time and memory alone"
    return (
        f"In force for each process of a submission: {said}; limits on time, memory and files. "
        "This keeps mistakes and mischief away. It does not stop a determined attacker: use a container for that."
    )


def _distribution(earned: Sequence[float], total: float) -> str:
    rows = []
    for tenth in range(10):
        low, high = total * tenth / 10, total * (tenth + 1) / 10
        n = sum(low <= e < high or (tenth == 9 and e >= high) for e in earned)
        bar = f'<span class="bar" style="width: {20 * n / len(earned):.2f}rem"></span>'
        rows.append(_row(f"{low:g} to {high:g}", bar, numbers=[str(n)]))
    return _table(["points", "", ">students"], rows)


def _failing(verdicts: Sequence[Verdict]) -> str:
    """A row for each part of a task that anybody has wrong, with the patterns, those that fail most first."""
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    students: Counter[str] = Counter()
    for verdict in verdicts:
        for outcome in verdict.outcomes:
            for name, part in outcome.parts.items():
                if not part.right:
                    students[f"{outcome.name}: {name}"] += 1
                    wrong[f"{outcome.name}: {name}"].update(part.patterns)
    rows = [
        _row(
            escape(what),
            "<br>".join(f"{k} &times; {_text(p)}" for p, k in wrong[what].most_common(6)),
            numbers=[str(n)],
        )
        for what, n in students.most_common(_MOST)
    ]
    return _table(["what", "patterns", ">students"], rows) if rows else "<p>Nothing.</p>"


def _alike(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Students whose wrong functions compute the same numbers, to seven digits."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verdict in verdicts:
        for outcome in verdict.outcomes:
            if outcome.alike:
                groups[outcome.name, outcome.alike].append(verdict.name)
    rows = [
        _row(escape(task), ", ".join(map(_text, names)), numbers=[str(len(names))])
        for (task, _), names in sorted(groups.items(), key=lambda item: -len(item[1]))
        if len(names) > 1
    ]
    if not rows:
        yield "<p>No two wrong functions compute the same.</p>"
        return
    yield (
        "<p>These compute the same wrong numbers. The same mistake does, too: it is no proof that "
        "one was copied.</p>"
    )
    yield _table(["function", "students", ">"], rows[:_MOST])


def _everybody(assignment: Assignment, verdicts: Sequence[Verdict]) -> str:
    rows = [
        _row(
            f'<a href="{quote(v.name)}/index.html">{_text(v.name)}</a>',
            numbers=[f"{v.earned:g}", *(f"{o.earned:g}" for o in v.outcomes)],
        )
        for v in verdicts
    ]
    heads = ["student", ">points", *(f">{task.name}" for task in assignment.tasks)]
    return _table(heads, rows)


def _row(*cells: str, numbers: Iterable[str] = ()) -> str:
    texts = [f"<td>{cell}</td>" for cell in cells] + [f'<td class="n">{n}</td>' for n in numbers]
    return f"<tr>{''.join(texts)}</tr>"


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    titles = "".join(
        f'<th class="n">{escape(head[1:])}</th>'
        if head.startswith(">")
        else f"<th>{escape(head)}</th>"
        for head in heads
    )
    body = "".join(rows)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(text: str) -> str:
    return escape(harmless(text))


def _page(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="generator" content="rnnkit">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
