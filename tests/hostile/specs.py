"""Specs: values that no key takes, keys that no table has, text that is no TOML."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from tests.hostile.case import AND, OUT, Base, Case
from tests.hostile.values import literal, spoiled_text

KEYS = (
    "data.path", "data.raw", "data.tokens", "data.features", "data.vocabulary", "data.length", "model.dtype", "model.seed",
    "model.image", "model.inject", "model.words", "model.head", "model.rnn", "model.rnn[0].hidden", "model.rnn[0].cell",
    "model.rnn[0].input", "model.rnn[0].input_weights", "model.rnn[0].recurrent_weights", "train.epochs", "train.batch",
    "train.shuffle", "train.loss", "train.optimizer", "train.optimizer.learning_rate", "train.schedule", "train.clip",
    "train.evaluate", "train.metric", "train.patience", "caption.decoder", "caption.length", "caption.unknown", "format",
    "model.rnn[0].cell.forget_bias", "model.words.dim", "model.words[0].dim", "model.rnn[1].hidden", "model.rnn[²].hidden",
    "", "x", "model", "train.x.y.z", "model.rnn[999999999999999999999].cell", ".".join("a" * 400), "model..rnn", "a b",
)  # fmt: skip
"""What `--set` replaces; some are none."""


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A spoiled spec, which is built or trained; or a good one with a value that is set to something."""
    text = base.spec.read_text()
    kind = rng.randrange(4)
    args: list[str] = []
    if kind == 0:
        text, label = spoiled_text(rng, text), "text"
    elif kind == 1:
        pairs = list(re.finditer(r"= (.+)$", text, re.MULTILINE))
        pair = rng.choice(pairs)
        value = literal(rng)
        label = f"{text[: pair.start()].split()[-1]} = {value[:20]}"
        text = text[: pair.start(1)] + value + text[pair.end(1) :]
    elif kind == 2:
        for _ in range(rng.choice((1, 1, 2, 3))):
            args += ["--set", f"{rng.choice(KEYS)}={literal(rng)}".replace("\0", "")]
        label = AND.join(arg[:60] for arg in args[1::2])
    else:
        sizes = {
            key: rng.choice((literal(rng), "7")) for key in ("features", "vocabulary", "length")
        }
        label = AND.join(f"{key} = {value[:20]}" for key, value in sizes.items() if value != "7")
        table = "".join(f"{key} = {value}\n" for key, value in sizes.items())
        text = re.sub(r'path = ".*"\n', lambda _: table, text)
        hidden = rng.choice(("4", "30", literal(rng)))
        label = AND.join(filter(None, (label, hidden[2:] and f"hidden = {hidden[:20]}")))
        text = re.sub(r"hidden = \d+", lambda _: f"hidden = {hidden}", text)
    (folder / "spec.toml").write_text(text, encoding="utf-8", errors="surrogatepass")
    for_days = re.search(r"epochs\s*=\s*[+\d][\d_]{3}", " ".join((text, *args)))
    if kind == 3 or for_days or rng.random() < 0.7:
        command = ["build", "spec.toml", *(["--json"] if rng.random() < 0.3 else [])]
    else:
        command = ["train", "spec.toml", "--out", OUT, "--data", str(base.data)]
    return Case(label, (*command, *args))
