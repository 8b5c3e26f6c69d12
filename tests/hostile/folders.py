"""Data folders with a file spoiled, model files with and without a digest that is right, captions to prepare."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from random import Random

import numpy as np

from tests.hostile.case import AND, OUT, Base, Case
from tests.hostile.files import spoil

RUN = f"{OUT}-run"
"""A run, which a call may go on with."""


def data(rng: Random, folder: Path, base: Base) -> Case:
    """A data folder, of which one or two files are spoiled."""
    shutil.copytree(base.data, folder / "data")
    files = sorted(f for f in (folder / "data").iterdir() if f.is_file())
    done = [f"{f.name} {spoil(rng, f)}" for f in rng.sample(files, rng.choice((1, 1, 2)))]
    command = rng.choice((
        ["data", "info", "data"],
        ["data", "info", "data", "--json"],
        ["train", str(base.spec), "--data", "data", "--out", OUT, "--set", "train.epochs=1"],
        ["caption", str(base.run), "--data", "data", "--n", "3"],
        ["eval", str(base.run), "--data", "data", "--n", "3"],
        ["data", "show", "data", "--split", "val", "--n", "2", "--out", f"{OUT}.png"],
        ["build", str(base.spec), "--data", "data"],
    ))  # fmt: skip
    return Case(AND.join(done), tuple(command))


def model(rng: Random, folder: Path, base: Base) -> Case:
    """A run, of which a file is spoiled; most of the time its digest is made right again."""
    run = Path(shutil.copytree(base.run, folder / RUN))
    names = [
        n
        for n in ("last.h5", "best.h5", "last.h5", "spec.toml", "history.csv")
        if (run / n).exists()
    ]
    file = run / rng.choice(names)
    done = spoil(rng, file)
    if file.suffix == ".h5" and file.is_file() and rng.random() < 0.8 and file.stat().st_size > 512:
        seal(file)
    command = rng.choice((
        ["caption", f"{RUN}/{file.name}", "--data", str(base.data), "--n", "3"],
        ["eval", RUN, "--data", str(base.data), "--n", "3"],
        ["train", "--resume", RUN, "--set", "train.epochs=3"],
        ["runs", "."],
        ["runs", ".", "--json"],
        ["report", RUN, "--out", f"{OUT}.html", "--n", "2"],
        ["export", f"{RUN}/{file.name}", f"{OUT}.safetensors"],
        ["caption", RUN, str(base.run), "--data", str(base.data), "--n", "3"],
    ))  # fmt: skip
    return Case(f"{file.name} {done}", tuple(command))


def seal(file: Path) -> None:
    """Write the digest of a model file anew."""
    with file.open("r+b") as f:
        f.seek(512)
        digest = hashlib.blake2b(f.read()).hexdigest().encode()
        f.seek(0)
        f.write((b"rnnkit model, blake2b of what follows: " + digest).ljust(512, b"\0"))


def prepare(rng: Random, folder: Path, base: Base) -> Case:
    """Captions and features of one's own, one of them spoiled."""
    captions, features = folder / "captions.json", folder / "features.npy"
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(12)]
    told = [{"image_id": i, "id": i, "caption": f"a red circle {i % 3}"} for i in range(12)]
    captions.write_text(json.dumps({"images": images, "annotations": told}))
    np.save(features, np.random.default_rng(0).normal(size=(12, 6)).astype("f4"))
    file = rng.choice((captions, captions, features))
    done = spoil(rng, file)
    args = [
        "data",
        "prepare",
        "--captions",
        captions.name,
        "--features",
        features.name,
        "--out",
        OUT,
    ]
    return Case(f"{file.name} {done}", tuple(args))
