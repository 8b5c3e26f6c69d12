"""The notebook in `examples/`: its cells run in order, on generated data and on photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rnnkit.errors import DataError
from tests.datafolders import WORDS, write_data_folder

NOTEBOOK = Path(__file__).parents[1] / "examples" / "rnn_captioning.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


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


def run(namespace: dict[str, Any]) -> None:
    """Every code cell, first to last."""
    from matplotlib import pyplot

    for cell in CELLS:
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), cell["id"], "exec", dont_inherit=True)
            exec(code, namespace)
    pyplot.close("all")


pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")


def test_it_has_no_outputs() -> None:
    assert [cell["id"] for cell in CELLS if cell.get("outputs")] == []


def test_it_runs_on_scenes(
    namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RNNKIT_DATA", raising=False)
    run(namespace)
    out = capsys.readouterr().out
    assert "the gradient of 'prev_h' is wrong" in out
    assert "URL Error" not in out
    assert all(finding.ok for finding in namespace["findings"])
    losses = namespace["losses"]
    assert losses["tanh"][-1] < 0.2
    assert losses["LSTM"][-1] < 0.2
    assert losses["sigmoid"][-1] > 10 * losses["tanh"][-1]


def test_it_runs_on_a_folder_in_the_assignments_layout(
    namespace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*WORDS, *(f"word{i}" for i in range(40))]
    folder = write_data_folder(tmp_path / "coco", assignment=True, images=60, words=words)
    monkeypatch.setenv("RNNKIT_DATA", str(folder))
    run(namespace)
    assert "URL Error" in capsys.readouterr().out


def test_it_runs_on_photographs(
    namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch, coco_mini: Path
) -> None:
    monkeypatch.setenv("RNNKIT_DATA", str(coco_mini))
    run(namespace)
    assert namespace["losses"]["tanh"][-1] < 0.2
