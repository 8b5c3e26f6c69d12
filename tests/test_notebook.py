"""The notebook in `examples/`: its cells run in order, and do what it is stored with."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from rnnkit.errors import DataError
from tests.datafolders import WORDS, write_data_folder
from tests.docblocks import shows

NOTEBOOK = Path(__file__).parents[1] / "examples" / "rnn_captioning.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]

WRITES_CAPTIONS = "code-23"
"""Which words, of pictures it does not know, hangs on the last digits."""


def no_network(url: str, *_: object) -> bytes:
    raise DataError(f"{url}: no network in tests")


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """An empty one, in an empty folder, without a screen or a network."""
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.setattr("rnnkit.data.looking.pictures.fetch_image", no_network)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    return {"__name__": "__main__"}


def run(namespace: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Every code cell, first to last: what each prints, and how many figures it shows."""
    from matplotlib import pyplot

    found = {}
    for cell in CODE:
        code = compile("".join(cell["source"]), cell["id"], "exec", dont_inherit=True)
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(code, namespace)
        found[cell["id"]] = printed.getvalue(), len(pyplot.get_fignums())
        pyplot.close("all")
    return found


def stored(cell: dict[str, Any]) -> tuple[str, int]:
    """What `run` finds of a cell, in its stored outputs."""
    texts = ["".join(out["text"]) for out in cell["outputs"] if out["output_type"] == "stream"]
    figures = [out for out in cell["outputs"] if "image/png" in out.get("data", {})]
    assert len(texts) + len(figures) == len(cell["outputs"])
    return "".join(texts), len(figures)


pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")


def test_its_outputs_are_small_and_name_no_place_on_a_machine() -> None:
    assert NOTEBOOK.stat().st_size < 400_000
    assert [cell["id"] for cell in CELLS if cell["metadata"]] == []
    for cell in CODE:
        text, _ = stored(cell)
        assert re.findall(r"(?<![\w./])/\w+/\S*|\w:\\\S*", text) == []


def test_its_stored_outputs_are_those_of_a_first_run_in_order() -> None:
    assert [cell["execution_count"] for cell in CODE] == [*range(1, len(CODE) + 1)]


def test_it_does_on_scenes_what_it_is_stored_with(
    namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RNNKIT_DATA", raising=False)
    found = run(namespace)
    for cell in CODE:
        (expected, figures), (printed, shown) = stored(cell), found[cell["id"]]
        assert shown == figures, cell["id"]
        if cell["id"] == WRITES_CAPTIONS:
            assert len(printed.splitlines()) == len(expected.splitlines())
        else:
            assert shows(expected, printed) or expected == printed == "", cell["id"]
    out = "".join(printed for printed, _ in found.values())
    assert "the gradient of 'prev_h' is wrong" in out
    assert "Wh is transposed where it must not be" in out
    assert all(finding.ok for finding in namespace["findings"])
    losses = namespace["losses"]
    assert losses["tanh"][-1] < 0.2
    assert losses["LSTM"][-1] < 0.2
    assert losses["sigmoid"][-1] > 10 * losses["tanh"][-1]


def test_it_runs_on_a_folder_in_the_assignments_layout(
    namespace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    words = [*WORDS, *(f"word{i}" for i in range(40))]
    folder = write_data_folder(tmp_path / "coco", assignment=True, images=60, words=words)
    monkeypatch.setenv("RNNKIT_DATA", str(folder))
    found = run(namespace)
    assert any("URL Error" in printed for printed, _ in found.values())


@pytest.mark.heavy
def test_it_runs_on_photographs(
    namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch, coco_mini: Path
) -> None:
    monkeypatch.setenv("RNNKIT_DATA", str(coco_mini))
    run(namespace)
    assert namespace["losses"]["tanh"][-1] < 0.2
