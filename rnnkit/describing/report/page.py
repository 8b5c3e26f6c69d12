"""The page: everything that was gathered, through one template that escapes all text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from rnnkit.describing.report import numbers
from rnnkit.describing.report.captions import Look
from rnnkit.describing.report.charts import Chart
from rnnkit.describing.report.network import Network
from rnnkit.describing.report.settings import Stretch
from rnnkit.describing.report.vocabulary import Words
from rnnkit.describing.summary import Summary
from rnnkit.describing.templates import templates
from rnnkit.errors import MissingPackage
from rnnkit.metrics import TITLES


@attrs.frozen
class Tile:
    """A headline number: what it is, its value, and what to know about it."""

    title: str
    value: str
    note: str


@attrs.frozen
class Page:
    """All that is on the page.

    Attributes:
        title: the run's name.
        lead: the run in a sentence or two.
        tiles: headline numbers.
        charts: curves, the one to look at first foremost.
        headings, rows: of the table of evaluations.
        summary: the network in numbers.
        network: its diagram.
        model: the file whose network wrote them.
        split: whose images were captioned.
        look: captions; None if there is no data.
        words: word frequencies; None if there are no captions.
        missing: what the page lacks and why, a sentence each.
        spec: the resolved spec.
        stretches: updates that were done with other settings.
        environment: what is called how -> what it is.
    """

    title: str
    lead: str
    tiles: Sequence[Tile]
    charts: Sequence[Chart]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    summary: Summary
    network: Network
    model: str
    split: str
    look: Look | None
    words: Words | None
    missing: Sequence[str]
    spec: str
    stretches: Sequence[Stretch]
    environment: Mapping[str, str]


def check_installed() -> None:
    """Make sure that a page can be made here, before any work goes into it.

    Raises:
        MissingPackage: what it takes is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib.ticker  # noqa: F401
        import PIL  # noqa: F401
        import pygments  # noqa: F401
    except ImportError as e:
        raise MissingPackage(f'a report needs {e.name}: pip install "rnnkit[report]"') from e


def render(page: Page) -> str:
    """The page of a run as HTML."""
    return fill("report.html", page=page)


def fill(template: str, **values: object) -> str:
    """A page of this template as HTML; all texts are escaped."""
    found = templates("rnnkit.describing.report")
    for name in ("count", "duration", "figure", "percent", "rate", "short"):
        found.filters[name] = getattr(numbers, name)
    found.filters["toml"] = _highlighted
    found.globals.update(titles=TITLES)
    return found.get_template(template).render(**values)


def _highlighted(source: str) -> Any:
    """TOML with a class for each kind of token; the lexer's formatter escapes all text."""
    from markupsafe import Markup
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TOMLLexer

    return Markup(highlight(source, TOMLLexer(), HtmlFormatter(nowrap=True)))
