"""Weights from elsewhere: models to begin from, word vectors, state dicts of PyTorch; groups of parts, and rewards."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
from pathlib import Path
from random import Random

from tests.hostile.case import AND, OUT, Base, Case
from tests.hostile.files import spoil
from tests.hostile.folders import seal
from tests.hostile.values import WORDS, literal, spoiled_bytes, spoiled_text

TABLES = """average = 0.5
clip = 5.0
metric = "rouge_l"
[train.reward]
reward = "rouge-l"
after = 1
samples = 2
temperature = 1.0
batch = 10
cross_entropy = 0.2
drop = false
learning_rate = 1e-3
schedule = "constant"
[[train.group]]
parts = "words.*"
frozen = true
until = 1
[[train.group]]
parts = ["rnn.0.*", "head.*"]
learning_rate = 0.5
weight_decay = 0.0
since = 2
"""


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A training that begins with what is wrong, or an import of it."""
    return rng.choice((_from, _vectors, _tables, _tables, _import))(rng, folder, base)


def _train(base: Base, *more: str) -> tuple[str, ...]:
    return ("train", "spec.toml", "--data", str(base.data), "--out", OUT, *more)


def _from(rng: Random, folder: Path, base: Base) -> Case:
    """--from a model that is spoiled, or from what is none."""
    spec = base.spec.read_text().replace("epochs = 2", "epochs = 1")
    start = f"{OUT}-start.h5"
    shutil.copy(base.run / rng.choice(("best.h5", "last.h5")), folder / start)
    label = ""
    if rng.random() < 0.7:
        label = f"start.h5 {spoil(rng, folder / start)}"
        if (
            rng.random() < 0.8
            and (folder / start).is_file()
            and (folder / start).stat().st_size > 512
        ):
            seal(folder / start)
    else:
        start = rng.choice((*WORDS, str(base.data), str(base.spec), str(base.run)))
        label = "" if start == str(base.run) else f"--from {start[:30]}"
    old, new = rng.choice(
        (("hidden = 5", "hidden = 7"), ('"lstm"', '"gru"'), ("dim = 6", "dim = 5"), ("", ""))
    )
    (folder / "spec.toml").write_text(spec.replace(old, new) if old else spec)
    return Case(label, _train(base, "--from", start))


def _vectors(rng: Random, folder: Path, base: Base) -> Case:
    """An embedding that begins with vectors from a file."""
    words = [*json.loads((base.data / "vocab.json").read_text())["idx_to_word"], "elsewhere"]
    lines = [f"{word} {' '.join(f'{rng.gauss(0, 1):.3f}' for _ in range(6))}" for word in words]
    text = "\n".join([*([f"{len(lines)} 6"] if rng.random() < 0.5 else []), *lines]) + "\n"
    file = folder / "vectors.txt"
    way = rng.choice(("text", "number", "bytes", "packed", "no file", "path"))
    name = file.name
    if way == "text":
        file.write_text(spoiled_text(rng, text), encoding="utf-8", errors="surrogatepass")
    elif way == "number":
        put = rng.choice(("nan", "inf", "1e999", "-", "", "1e38", "1 2 3", "0x10", "²", "9" * 5000))
        numbers = list(re.finditer(r"-?\d\.\d{3}", text))
        at = rng.choice(numbers)
        file.write_text(text[: at.start()] + put + text[at.end() :], encoding="utf-8")
        way += f" {put[:9]}"
    elif way == "bytes":
        file.write_bytes(spoiled_bytes(rng, text.encode()))
    elif way == "packed":
        file.write_bytes(spoiled_bytes(rng, gzip.compress(text.encode(), mtime=0)))
    elif way == "no file":
        file.write_text(text)
        way = spoil(rng, file)
    else:
        name = rng.choice(
            (
                "/dev/zero",
                "/etc/passwd",
                "",
                ".",
                "../x",
                "a\\u0000b",
                "x" * 5000,
                "[/x]",
                "\\ud83d",
            )
        )
        way = f"path {name[:20]}"
    table = (
        f'{{ use = "embedding", dim = 6, weights = {{ use = "word-vectors", file = "{name}" }} }}'
    )
    spec = base.spec.read_text().replace("epochs = 2", "epochs = 1")
    (folder / "spec.toml").write_text(spec.replace('{ use = "embedding", dim = 6 }', table))
    command = rng.choice((_train(base), ("build", "spec.toml", "--data", str(base.data))))
    return Case(f"vectors {way}", command)


def _tables(rng: Random, folder: Path, base: Base) -> Case:
    """Groups of parts, a reward and an average, of which something is wrong."""
    text = TABLES
    done: dict[int, str] = {}  # by the number of the key: what is replaced again is not wrong
    for _ in range(rng.choice((1, 1, 2))):
        number, pair = rng.choice([*enumerate(re.finditer(r"(\w+) = (.+)$", text, re.MULTILINE))])
        value = rng.choice(
            (
                literal(rng),
                literal(rng),
                '"*"',
                '"rnn.9.*"',
                '["words.*", "[x"]',
                '"cider-d"',
                '"no"',
                "2",
                "0.0",
            )
        )
        text = text[: pair.start(2)] + value + text[pair.end(2) :]
        done[number] = f"{pair[1]} = {value[:20]}"
    if rng.random() < 0.2:
        text, done = spoiled_text(rng, TABLES), {0: "text"}
    head, tail = base.spec.read_text().split("[caption]")
    (folder / "spec.toml").write_text(
        f"{head}{text}[caption]{tail}", encoding="utf-8", errors="surrogatepass"
    )
    command = ("build", "spec.toml") if rng.random() < 0.4 else _train(base)
    return Case(AND.join(done.values()), command)


def _import(rng: Random, folder: Path, base: Base) -> Case:
    """A state dict whose header or tensors are spoiled."""
    whole = (base.run / "weights.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", whole[:8])
    header, tensors = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    way = rng.choice(("bytes", "header", "tensor", "size", "no file"))
    file = folder / "weights.safetensors"
    if way in ("header", "tensor"):
        name = rng.choice(list(header))
        put: object = rng.choice(
            (
                None,
                3,
                "",
                [],
                {},
                "\x1b[31m",
                {"dtype": "F32"},
                {"dtype": "I8", "shape": [1 << 60], "data_offsets": [0, 8]},
            )
        )
        if way == "tensor" and name != "__metadata__":
            header[name] |= {
                rng.choice(("dtype", "shape", "data_offsets")): rng.choice(
                    (put, "F64", [1], [0, 1 << 62], [-1, 4], [2.5])
                )
            }
        elif put is None:
            del header[name]
        else:
            header[name] = put
        packed = json.dumps(header).encode()
        file.write_bytes(struct.pack("<Q", len(packed)) + packed + tensors)
        way += f" {name}"
    elif way == "size":
        file.write_bytes(
            struct.pack("<Q", rng.choice((0, size + 1, 1 << 40, (1 << 64) - 1))) + whole[8:]
        )
    else:
        file.write_bytes(spoiled_bytes(rng, whole) if way == "bytes" else whole)
        if way == "no file":
            way = spoil(rng, file)
    (folder / "spec.toml").write_text(base.spec.read_text())
    more = rng.choice(
        (
            [],
            [],
            ["--force"],
            ["--rename", rng.choice(WORDS)],
            ["--set", f"model.rnn[0].hidden={literal(rng)[:99]}".replace("\0", "")],
        )
    )
    label = AND.join(
        [f"weights.safetensors {way}", *([" ".join(more)[:40]] if len(more) > 1 else [])]
    )
    return Case(
        label,
        ("import", file.name, "spec.toml", "--data", str(base.data), "--out", f"{OUT}.h5", *more),
    )
