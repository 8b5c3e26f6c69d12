"""Arguments: of every command, any value in any place."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.hostile.case import AND, OUT, Base, Case
from tests.hostile.values import WORDS

FLAGS = ("--json", "--csv", "--raw", "--anyway")
SENSE = (
    "--split train", "--split val", "--seed 0", "--decoder beam", "--cell lstm", "--cell rnnkit:lstm", "--from lstm", "--n 99999999999999999999",
)  # fmt: skip
"""Options whose value is none of the nonsense."""


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A command with options that have values of any kind."""
    run, data, spec = str(base.run), str(base.data), str(base.spec)
    commands: tuple[tuple[list[str], list[str]], ...] = (
        (["caption", run], ["--data", "--split", "--n", "--n-best", "--decoder", "--features", "--json", "--csv"]),
        (["eval", run], ["--data", "--split", "--n", "--decoder", "--metrics", "--json"]),
        (["runs", str(base.run.parent)], ["--sort", "--json"]),
        (["plugins", "list"], ["--kind", "--json"]),
        (["plugins", "show", "--no-check"], ["--kind", "--sizes", "--json", " lstm", " affine"]),
        (["plugins", "new", "--out", OUT], ["--tier", "--slots", "--anyway", " cell", " mine"]),
        (["data", "info"], ["--raw", "--json", f" {data}"]),
        (["data", "show", "--out", f"{OUT}.png"], ["--split", "--n", "--seed", f" {data}"]),
        (["data", "demo", OUT, "--train", "20", "--val", "8"], ["--train", "--val", "--seed"]),
        (["export", run, f"{OUT}.safetensors"], ["--beam", "--data", "--layout", "--length-penalty"]),
        (["report", run, "--out", f"{OUT}.html"], ["--n", "--data"]),
        (["new", f"{OUT}/new.toml"], ["--cell", "--from", "--data"]),
        (["gradcheck", "tanh"], ["--kind", "--case", "--seed", "--json"]),
        (["compare", spec, "--out", OUT], ["--seeds", "--seed", "--parameters", "--until-loss", "--metrics"]),
        (["build", spec], ["--data", "--json"]),
        (["train"], ["--resume", "--out", "--data", "--set", "--from"]),
        (["grade"], ["--assignment", "--out", "--seed", "--jobs", "--results", f" {run}", " nowhere"]),
        (["import", f"{run}/weights.safetensors", spec, "--out", OUT], ["--rename", "--data", "--set"]),
        (["schema"], ["--out"]),
        (["doctor"], ["--json", f" {data}", " nowhere"]),
        (["plugins", "derive"], [f" {spec}::X", " nowhere.py::X", " ::"]),
        (["data", "describe"], ["--encoder", f" {data}", " nowhere"]),
    )  # fmt: skip
    command, options = rng.choice(commands)
    given = []
    for option in rng.sample(options, rng.randint(0, min(3, len(options)))):
        if option.startswith(" "):
            given.append([option[1:]])
        elif option in FLAGS and rng.random() > 0.02:
            given.append([option])
        else:
            given.append([option, rng.choice(WORDS)])
    said = [" ".join(words) for words in given if len(words) > 1]
    args = [*command, *(word for words in given for word in words)]
    if rng.random() < 0.3:
        word = rng.choice(WORDS)
        # Behind two dashes, --out would be no option.
        args.insert(len(args) if word == "--" else rng.randrange(1, len(args) + 1), word)
        said.append(word)
    label = AND.join(text[:30] for text in said if text not in SENSE)
    return Case(label, tuple(_kept_in(args)))


def _kept_in(args: list[str]) -> list[str]:
    """The same, but what is to be written is named so that it is the case's."""
    return [
        OUT + arg.replace("/", "_")
        if before in ("--out", "--results") and not arg.startswith((OUT, "/dev/"))
        else arg
        for before, arg in zip(["", *args], args, strict=False)
    ]
