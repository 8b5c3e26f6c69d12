"""Folders of odd names, in which everything else is as it should be."""

from __future__ import annotations

import contextlib
import json
import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from PIL import Image

from rnnkit.errors import RnnkitError
from rnnkit.training import train
from tests.hostile.case import OUT, Base, Case
from tests.hostile.courses import ASSIGNMENT, SOLUTION

NAMES: Final = (
    "two\nlines", "a\tb", "a\rb", "\x1b[31m", "\x85", "\u202e", "\u2028", "\x7f", "caf\udce9", "\udcff", "é", "e\u0301", "日本語", "\U0001f600",
    "a b", " ", "'", '"', "'''", "\\", "\\n", "[x]", "*", "?", "#", "%s", "%00", "{0}", "{{", "$a$", "$HOME", "~", "-x", "--", "=1+1", "a,b", "a;b", "a:b",
    "a=b", "&amp;", "<b>", ".h5", ".toml", "..x", "file:", "x" * 200, "ä" * 100,
)  # fmt: skip


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A place with a data folder, a run, photos and functions, all of them right; and a call that works in it."""
    name = "".join(rng.sample(NAMES[:-2], rng.choice((1, 1, 2, 3))))
    name = rng.choice((name, name, name, rng.choice(NAMES[-2:])))
    place = furnished(folder / f"{OUT}{name}", base)
    at = place if rng.random() < 0.5 else Path(place.name)
    command = rng.choice(calls(at))
    resumed = partial(_first_train, at, base.data) if "--resume" in command else int
    return Case(f"called {name!a}", tuple(command), resumed)


def furnished(place: Path, base: Base) -> Path:
    """Make a folder with what `calls` are for."""
    shutil.copytree(base.data, place / "data")
    shutil.copytree(base.run, place / "run")
    shutil.copy(base.spec, place / "own.toml")
    (place / "photos").mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 20, 3), np.uint8)
        Image.fromarray(pixels).save(place / "photos" / f"{i}.png")
    (place / "photos" / "3.png").write_bytes(b"no picture")
    with (place / "captions.jsonl").open("w") as file:
        for i in range(5):
            print(json.dumps({"file_name": f"{i}.png", "text": f"a red circle {i}"}), file=file)
    (place / "own.py").write_text(SOLUTION)
    (place / "solution.py").write_text(SOLUTION)
    (place / "a.toml").write_text(ASSIGNMENT)
    return place


def calls(at: Path) -> list[list[str]]:
    """Calls that read in such a folder, and write there."""
    spec, data, run = f"{at}/own.toml", ["--data", f"{at}/data"], f"{at}/run"
    epoch = ["--set", "train.epochs=1"]
    prepare = ["data", "prepare", "--captions", f"{at}/captions.jsonl", "--out", f"{at}/own"]
    return [
        ["data", "demo", f"{at}/demo", "--train", "3", "--val", "2"],
        ["data", "info", f"{at}/data"],
        ["data", "info", f"{at}/data", "--json"],
        ["data", "show", f"{at}/data", "--n", "2", "--out", f"{at}/show.png"],
        [*prepare, "--images", f"{at}/photos", "--encoder", "scenes", "--min-count", "1"],
        ["build", spec, *data, "--out", f"{at}/built.h5"],
        ["train", spec, *data, *epoch, "--out", f"{at}/new"],
        ["train", spec, *data, *epoch, "--out", f"{at}/from", "--from", run],
        ["train", "--resume", f"{at}/first", "--set", "train.epochs=2"],
        ["compare", spec, spec, *data, *epoch, "--out", f"{at}/compared"],
        ["caption", run, *data, "--n", "2", "--html", f"{at}/page.html"],
        ["caption", run, f"{at}/photos"],
        ["caption", run, f"{at}/photos", "--csv"],
        ["caption", run, f"{at}/photos/1.png", "--json"],
        ["eval", run, *data, "--n", "2", "--results", f"{at}/results.json"],
        ["report", run, *data, "--n", "2"],
        ["runs", str(at)],
        ["runs", str(at), "--json"],
        ["export", run, f"{at}/weights.safetensors"],
        ["import", f"{run}/weights.safetensors", spec, *data, "--out", f"{at}/imported.h5"],
        ["new", f"{at}/new.toml", *data],
        ["plugins", "new", "cell", "my-cell", "--out", f"{at}/project"],
        ["schema", "--out", f"{at}/schema.json"],
        ["doctor", f"{at}/data", "--json"],
        ["gradcheck", f"{at}/own.py"],
        ["grade", f"{at}/own.py", "--assignment", f"{at}/a.toml", "--results", f"{at}/graded.json"],
    ]


def _first_train(at: Path, data: Path) -> None:
    with contextlib.suppress(RnnkitError):  # the call will say it
        train(at / "own.toml", data, out=at / "first", overrides=["train.epochs=1"])
