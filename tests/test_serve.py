"""`rnnkit serve` says what `rnnkit caption` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.training import train
from tests.servers import Place, serving
from tests.specs import TRAINED


@pytest.fixture(scope="module")
def run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, of a model that was trained on a few scenes."""
    folder = tmp_path_factory.mktemp("runs") / "scenes"
    spec = folder.with_name("small.toml")
    spec.write_text(TRAINED)
    train(spec, data=tiny_data, out=folder)
    return folder


@pytest.fixture(scope="module")
def place(run: Path) -> Iterator[Place]:
    with serving([run]) as found:
        yield found


@pytest.fixture(scope="module")
def photos(tiny_data: Path) -> list[Path]:
    return sorted((tiny_data / "images" / "val").iterdir())


def said(run: Path, photo: Path, *options: str) -> dict[str, Any]:
    """What `rnnkit caption` says of a photo alone."""
    told = CliRunner().invoke(app, ["caption", str(run), str(photo), "--json", *options])
    assert told.exit_code == 0, told.output
    (found,) = json.loads(told.stdout)
    return dict(found)


DECODERS = [
    "greedy",
    '{ use = "beam", width = 4, length_penalty = 0.7 }',
    '{ use = "sample", temperature = 1.5, draws = 3 }',
]


@pytest.mark.parametrize("decoder", DECODERS)
def test_captions_are_those_of_the_command_line(
    place: Place, run: Path, photos: list[Path], decoder: str
) -> None:
    for photo in photos[:3]:
        n_best = "1" if decoder == "greedy" else "3"
        wanted = said(run, photo, "--decoder", decoder, "--n-best", n_best)
        query = urlencoded(decoder=decoder, n_best=n_best)
        found = place.caption(photo, query)
        assert found["caption"] == wanted["caption"]
        assert found["log_prob"] == pytest.approx(wanted["log_prob"], rel=1e-6)
        others = [[o["caption"], o["log_prob"]] for o in found["others"]]
        assert [o[0] for o in others] == [o[0] for o in wanted["others"]]
        np.testing.assert_allclose(
            [o[1] for o in others], [o[1] for o in wanted["others"]], rtol=1e-6
        )
        assert [w["word"] for w in found["words"]] == found["caption"].split()


def urlencoded(**fields: str) -> str:
    from urllib.parse import urlencode

    return urlencode(fields)
