"""The documentation: every code block does what its page says, and the site is complete and loads nothing from the internet."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import rnnkit
from rnnkit.data.scenes import write_scenes
from rnnkit.kinds import KINDS
from rnnkit.registry import entries_of
from tests import browser
from tests.docblocks import Block, Workspace, blocks_of, shows, write_programs

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"

PAGES: Final = sorted(
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md"))
    if any(blocks_of(page))
)

HEAVY: Final = (
    "compare.md",
    "data.md",
    "derive.md",
    "export.md",
    "forms.md",
    "go-on.md",
    "photos.md",
    "runs.md",
)
"""Pages that take longest; the commands on them have tests of their own, too."""

FROM_NOTHING: Final = ("tutorial.md",)
"""Pages whose reader begins in an empty folder; the others have data, specs, and runs."""

PRELUDES: Final = {
    "gradients.md": "import numpy as np\nfrom rnnkit.compat.ie590.rnn_layers import *\n"
    "x, h, Wx, Wh = (np.linspace(-1, 1, 4).reshape(2, 2) * k for k in (1, 2, 3, 4))\n"
    "b = np.ones(2)\n",
}
"""What the reader of a page has imported or made already."""

NOT_RUN: Final = {
    "make demo ": "for a fresh machine",
    "python3 -m venv": "for a fresh machine",
    "pip wheel": "it would download what rnnkit requires",
    "rnnkit train specs/flickr8k": "wants data that is given out on request",
    "pytest --pyargs": "of a package that is not installed: tests/test_gradcheck.py",
    "from rnnkit.testing.suite": "a test file: tests/test_gradients.py",
}
"""The beginnings of blocks that pages do not mark themselves, and why they are not run."""


def reason_not_to_run(block: Block) -> str | None:
    return block.reason or next(
        (why for begin, why in NOT_RUN.items() if block.text.startswith(begin)), None
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_programs(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who has worked with rnnkit: data, specs, runs. Not to be changed."""
    folder = tmp_path_factory.mktemp("furnished")
    write_scenes(folder / "data" / "scenes", train=24, val=8, seed=1)
    for name in ("specs", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    small = ["train.epochs=1", "model.rnn[0].hidden=8", 'data.path="data/scenes"']
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("lstm", "a"):
            rnnkit.train(folder / "specs" / "lstm.toml", out=f"runs/{name}", overrides=small)
    for name in ("b", "c"):
        shutil.copytree(folder / "runs" / "a", folder / "runs" / name)
    return folder.rename(
        folder.with_name("carried off")
    )  # so that runs find the data by its path as given


@pytest.fixture(
    params=[
        pytest.param(
            page,
            id=str(page.relative_to(ROOT)),
            marks=pytest.mark.heavy if page.name in HEAVY else (),
        )
        for page in PAGES
    ]
)
def page(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


def test_every_block_of_a_page_does_what_it_says(
    page: Path, programs: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "here"
    if page.name in FROM_NOTHING:
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("furnished"), folder)
    workspace = Workspace(folder, programs, PRELUDES.get(page.name, ""))
    for block in blocks_of(page):
        if page.name == "README.md":  # which is not read from beginning to end
            workspace.current = folder
        if reason_not_to_run(block) is None:
            workspace.run(block)


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_few_blocks_are_not_run() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    left_out = [block for block in blocks if reason_not_to_run(block)]
    assert len(blocks) > 60
    assert len(left_out) < len(blocks) / 8


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("loss 1.5  best\n", "loss   27.125 best\n", True),
        ("loss 1.5\n", "loss -27\n", True),
        ("loss 1.5\n", "cost 1.5\n", False),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("a\n...\nz\n", "a\nb\nc\n", False),
        ("in ... here\n", "in /tmp/x here\n", True),
        ("one line\n", "one line\nanother\n", False),
    ],
)
def test_output_is_compared_but_for_its_numbers(expected: str, printed: str, same: bool) -> None:
    assert shows(expected, printed) is same


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `mkdocs build --strict` does; with --quiet, it would count no warnings."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


LOADS: Final = (
    r"<(?:script|img|iframe|source|video|embed)\b[^>]*\bsrc=[\"']?(?:https?:)?//",
    r"<link\b(?![^>]*\brel=[\"']?(?:canonical|next|prev))[^>]*\bhref=[\"']?(?:https?:)?//",
    r"url\([\"']?(?:https?:)?//",
    r"@import\s+[\"'](?:https?:)?//",
)
"""What makes a browser ask another machine for something."""


def test_the_site_loads_nothing_from_the_network(site: Path) -> None:
    found = [
        f"{file.relative_to(site)}: {match[0]}"
        for file in site.rglob("*")
        if file.suffix in (".html", ".css", ".svg")
        for pattern in LOADS
        for match in re.finditer(pattern, file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_site_has_every_built_in_plugin_and_every_key_of_a_spec(site: Path) -> None:
    for kind in KINDS:
        page = site / "reference" / "plugins" / f"{kind.group.removeprefix('rnnkit.')}.html"
        text = page.read_text(encoding="utf-8")
        names = [entry.name for entry in entries_of(kind) if entry.package == "rnnkit"]
        assert [name for name in names if f'id="{name}"' not in text] == []
    spec = (site / "reference" / "spec.html").read_text(encoding="utf-8")
    for key in ("path", "inject", "recurrent_weights", "patience", "unknown"):
        assert f"<td><code>{key}</code></td>" in spec


def test_an_option_has_its_bounds_its_default_and_its_meaning(site: Path) -> None:
    spec = (site / "reference" / "spec.html").read_text(encoding="utf-8")
    beam = (site / "reference" / "plugins" / "decoders.html").read_text(encoding="utf-8")
    assert (
        "<td><code>batch</code></td>\n<td>whole number, at least 1, at most 1,000,000,000</td>\n"
        "<td><code>50</code></td>\n<td>N, captions an update.</td>"
    ) in spec
    assert '<a href="plugins/schedules.html">schedule</a>' in spec
    assert "<td><code>width</code></td>\n<td>whole number, at least 1</td>" in beam


def test_the_page_of_rnnkit_begins_with_what_everybody_calls(site: Path) -> None:
    page = (site / "reference" / "api" / "rnnkit.html").read_text(encoding="utf-8")
    found = re.findall(r'<h2 id="rnnkit\.(\w+)"', page)
    assert found[:3] == ["build", "train", "load"]
    assert sorted(found) == sorted(set(rnnkit.__all__) - {"__version__"})


def test_no_mark_is_left_in_the_site(site: Path) -> None:
    assert [
        page.name for page in site.rglob("*.html") if "<!-- rnnkit:" in page.read_text("utf-8")
    ] == []


LEAVING: Final = """[...document.querySelectorAll('.md-content :is(table, pre > code)')].filter(e =>
    e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1).length"""
"""Tables and code of which a reader sees a part only."""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_code_or_table_leaves_the_screen(width: int, site: Path, tab: browser.Tab) -> None:
    pages = ["howto/compare", "tutorial", "zoo", "reference/spec", "assignment"]
    for name in pages:
        tab.show((site / f"{name}.html").as_uri(), width)
        assert tab.heard == browser.Heard()
        assert tab.width == width
        assert tab.page.evaluate(LEAVING) == 0, name


def test_search_works_in_pages_that_are_opened_as_files(site: Path, tab: browser.Tab) -> None:
    tab.show((site / "index.html").as_uri())
    assert tab.heard == browser.Heard()
    tab.page.locator("[data-md-component=search-query]").fill("beam")
    found = tab.page.locator(".md-search-result__list")
    found.get_by_text("Decoders").first.wait_for(timeout=60_000)
