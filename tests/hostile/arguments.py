"""Arguments: of every command, any value in any place."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.hostile.case import OUT, Base, Case
from tests.hostile.values import WORDS

FREE = "any text is a name, a pattern or a folder that may be; numbers are bounded where they enter"


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
        (["data", "demo"], ["--train", "--val", "--seed"]),
        (["export", run, f"{OUT}.safetensors"], ["--beam", "--data", "--layout", "--length-penalty"]),
        (["report", run, "--out", f"{OUT}.html"], ["--n", "--data"]),
        (["new", f"{OUT}/new.toml"], ["--cell", "--from", "--data"]),
        (["gradcheck", "tanh"], ["--kind", "--case", "--seed", "--json"]),
        (["compare", spec, "--out", OUT], ["--seeds", "--seed", "--parameters", "--until-loss", "--metrics"]),
        (["build", spec], ["--data", "--json"]),
        (["train"], ["--resume", "--out", "--data", "--set"]),
    )  # fmt: skip
    command, options = rng.choice(commands)
    args = list(command)
    for option in rng.sample(options, rng.randint(0, min(3, len(options)))):
        if option.startswith(" "):
            args.append(option[1:])
        else:
            args.append(option)
            if option not in ("--json", "--csv", "--raw", "--anyway") or rng.random() < 0.02:
                args.append(rng.choice(WORDS))
    if rng.random() < 0.3:
        args.insert(rng.randrange(1, len(args) + 1), rng.choice(WORDS))
    # A folder to write, of any name, must be one of the case: absolute ones would be anybody's.
    args = [
        OUT if a in ("/", "../x") and before in ("--out", "demo") else a
        for before, a in zip(["", *args], args, strict=False)
    ]
    return Case(
        f"arguments, {' '.join(command[:2] if command[0] in ('data', 'plugins') else command[:1])}",
        tuple(args),
        FREE,
    )
