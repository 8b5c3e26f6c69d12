"""A decoder that misbehaves ends neither the server nor the captions of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import misbehaving
from tests.servers import serving


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        yield misbehaving.install(tmp_path, patch)
    misbehaving.forget()


def test_a_decoder_that_misbehaves_is_an_answer_and_told_to_who_serves(
    package: Path, small_run: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = next((tiny_data / "images").rglob("*.png"))
    with serving([small_run]) as place:
        before = place.caption(photo)["caption"]
        for how in ("SystemExit", "Strange", "None", "KeyError"):
            table = f'{{ use = "bad-decoder", method = "decode", how = "{how}" }}'
            bad = place.ask(f"/caption?decoder={quote(table)}", photo.read_bytes())
            assert bad.status == 500
            assert b"the server made a mistake" in bad.body
            assert str(package).encode() not in bad.body
            assert package.name in capsys.readouterr().err
            assert place.caption(photo)["caption"] == before
