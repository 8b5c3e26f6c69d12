"""Many clients at once get the captions that their photos get alone, and leave no memory behind."""

from __future__ import annotations

import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

from tests.lines import BOUNDARY, PART
from tests.many_clients import alone, ask, memory, server

GROWTH: Final = 30.0
"""MB that a server may grow by, however many captions it writes."""


def loaded(run: Path, folder: Path, count: int, clients: int) -> float:
    """Ask for so many captions, assert that all are right, and say by how many MB the server has grown."""
    photos = sorted(folder.iterdir())
    wanted = alone(run, photos)
    with server(run) as (place, process):
        assert ask(place, photos, 8, wanted).wrong == ()
        before = memory(process)
        load = ask(place, list(islice(cycle(photos), count)), clients, wanted)
        assert load.wrong == ()
        assert len(load.waits) == count
        return memory(process) - before


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as on Linux")
def test_twenty_clients_get_their_own_captions(small_run: Path, tiny_data: Path) -> None:
    assert loaded(small_run, tiny_data / "images" / "val", 100, 20) < GROWTH


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as on Linux")
def test_photos_leave_no_memory_behind(small_run: Path) -> None:
    photo = bytes(4 << 20)
    kind = BOUNDARY.partition(": ")[2]
    with server(small_run) as (place, process):
        place.ask("/caption", photo)
        before = memory(process)
        for _ in range(20):
            assert place.ask("/caption", photo).status == 400
            assert place.ask("/caption", PART.encode() + photo, kind).status == 400  # has no end
            whole = PART.encode() + photo + b"\r\n--xyz--\r\n"
            assert place.ask("/caption", whole, kind).status == 400
        assert memory(process) - before < GROWTH


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as on Linux")
def test_fifty_clients_get_their_own_captions(small_run: Path, tiny_data: Path) -> None:
    assert loaded(small_run, tiny_data / "images" / "train", 2000, 50) < GROWTH
