"""The files of a new plugin's project, written all together or not at all."""

from __future__ import annotations

import keyword
import os
import re
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import attrs

from rnnkit.errors import RegistryError
from rnnkit.kinds import (
    Activation,
    Decoder,
    Initializer,
    Layer,
    Loss,
    Optimizer,
    Plugin,
    RecurrentCell,
    Reward,
    Schedule,
)
from rnnkit.registry.scaffold.names import Names, names_of
from rnnkit.system.version import __version__

TIERS: Final = ("gated", "free")
"""Of cells: pointwise, with the products left to the engine, or with products of its own."""

NETWORK: Final = {
    "image": '"affine"',
    "head": '"affine"',
    "cell": '"lstm"',
    "loss": '"softmax-cross-entropy"',
    "optimizer": '{ use = "adam", learning_rate = 2e-3 }',
    "schedule": '"cosine"',
    "decoder": '"greedy"',
    "reward": "",
}
"""The parts of a spec, as TOML, for a plugin that is none of them."""

PLACES: Final[dict[type[Plugin], tuple[str, str]]] = {
    Activation: ("image", '[{{ use = "affine", units = 256 }}, "{}", "affine"]'),
    Layer: ("head", '["{}", "affine"]'),
    RecurrentCell: ("cell", '"{}"'),
    Loss: ("loss", '"{}"'),
    Optimizer: ("optimizer", '{{ use = "{}", learning_rate = 2e-3 }}'),
    Schedule: ("schedule", '"{}"'),
    Initializer: ("image", '{{ use = "affine", weights = "{}" }}'),
    Decoder: ("decoder", '"{}"'),
    Reward: ("reward", '\nmetric = "cider"\n\n[train.reward]\nreward = "{}"\nafter = 5'),
}
"""Where in a spec each kind goes, and how; encoders are in none, for data folders have the features."""


@attrs.frozen
class Project:
    """A project that was written.

    Attributes:
        folder: that it is in.
        names: of its plugin.
        plugin: the plugin's file, from the folder.
        files: all of them, from the folder.
        gaps: the lines of the plugin's file where maths is to be written.
    """

    folder: Path
    names: Names
    plugin: str
    files: tuple[str, ...]
    gaps: tuple[int, ...]


def new_project(
    kind: type[Plugin],
    name: str,
    folder: Path | None = None,
    *,
    tier: str | None = None,
    slots: Sequence[str] = ("h",),
    step_only: bool = False,
    anyway: bool = False,
) -> Project:
    """Write an installable project with one plugin, in which the maths is left to write.

    Args:
        kind: of the plugin.
        name: lower-case words with hyphens between them.
        folder: to make; called like the distribution, in the current folder, if left open.
        tier: of a cell, "gated" (the default) or "free".
        slots: of a cell's state, h first.
        step_only: whether of a cell the step alone is to be written, and its step back is derived.
        anyway: whether an installed plugin of that kind may have the name too.

    Raises:
        RegistryError: the name is no good or taken, the folder exists, or it cannot be written.
    """
    if tier is not None and kind is not RecurrentCell:
        raise RegistryError(f"only a cell has a tier; leave --tier out for a {kind.noun}")
    if tier is not None and tier not in TIERS:
        raise RegistryError(f"there is no tier {tier!r}; a cell is {' or '.join(TIERS)}")
    if step_only and kind is not RecurrentCell:
        raise RegistryError(f"only a cell has a step; leave --step-only out for a {kind.noun}")
    if tuple(slots) != ("h",):
        _check_slots(kind, slots)
    names = names_of(kind, name, anyway=anyway)
    folder = Path(names.distribution) if folder is None else folder
    if folder.exists() or folder.is_symlink():
        raise RegistryError(f"{folder} exists; give a new folder with --out")
    part = "step" if step_only else "cell"
    source = f"{tier or TIERS[0]}_{part}" if kind is RecurrentCell else kind.noun
    texts = _texts(kind, names, source, slots)
    _write_together(folder, texts)
    plugin = f"src/{names.package}/{names.module}.py"
    lines = enumerate(texts[plugin].splitlines(), 1)
    gaps = tuple(number for number, line in lines if "raise NotImplementedError" in line)
    return Project(folder, names, plugin, tuple(texts), gaps)


def _texts(kind: type[Plugin], names: Names, source: str, slots: Sequence[str]) -> dict[str, str]:
    """Path in the project -> text. A plugin's template is Python itself, with stand-ins for names."""
    fill = {
        **attrs.asdict(names),
        "noun": kind.noun,
        "group": kind.group,
        "version": ".".join(__version__.split(".")[:2]),
        "commands": _commands(kind, names),
        **NETWORK,
    }
    if kind in PLACES:
        place, value = PLACES[kind]
        fill[place] = value.format(names.spec_name)

    def filled(template: str) -> str:
        text = _template(f"project/{template}.template")
        return Template(text).substitute(fill)

    code = _with_slots(_template(f"plugins/{source}.py"), slots).replace("NewPlugin", names.cls)
    code = code.replace("\n\nfrom rnnkit", "\nfrom rnnkit", 1)  # not a third party here, but there
    package = f"src/{names.package}"
    spec = {f"specs/{names.name}.toml": filled("spec.toml")} if kind in PLACES else {}
    return {
        "README.md": filled("README.md"),
        "pyproject.toml": filled("pyproject.toml"),
        f"{package}/__init__.py": filled("init.py"),
        f"{package}/py.typed": "",
        f"{package}/{names.module}.py": code,
        **spec,
        "tests/test_plugin.py": filled("test_plugin.py"),
    }


def _check_slots(kind: type[Plugin], slots: Sequence[str]) -> None:
    """Make sure that a state can have these slots."""
    if kind is not RecurrentCell:
        raise RegistryError(f"only a cell has slots; leave --slots out for a {kind.noun}")
    if slots[0] != "h":
        raise RegistryError("the first slot is h, what the cell puts out, as in --slots h,c")
    for slot in slots:
        if not slot.isidentifier() or keyword.iskeyword(slot) or slot.startswith("_"):
            raise RegistryError(f"{slot!r} cannot be the name of a slot; write letters, as in h,c")
    if len(set(slots)) < len(slots):
        raise RegistryError(f"a slot is named twice in {','.join(slots)}")


def _with_slots(code: str, slots: Sequence[str]) -> str:
    """The template of a cell with a state of its own, if it has more slots than h."""
    more = slots[1:]
    if not more:
        return code
    fields = "".join(f"    {slot}: Array  # (N, H)\n" for slot in more)
    state = (
        f'@attrs.frozen\nclass NewPluginState(State):\n    """What goes from step to step: {", ".join(slots)}."""\n\n'
        f"{fields}\n\n"
    )
    zeros = "".join(f", {slot}=np.zeros_like(h0)" for slot in more)
    code = re.sub(r"\bState\b(?=[\],(:])", "NewPluginState", code)
    code = code.replace("NewPluginState(h0)", f"NewPluginState(h0{zeros})")
    code = re.sub(r"(\bd?s): State,", r"\1: NewPluginState,", code)
    code = code.replace("# s.h (N, H)", f"# {', '.join(f's.{slot}' for slot in slots)} (N, H)")
    code = code.replace("# ds.h (N, H)", f"# {', '.join(f'ds.{slot}' for slot in slots)} (N, H)")
    if "import numpy" not in code:
        code = code.replace("import attrs\n", "import attrs\nimport numpy as np\n", 1)
    return code.replace("@attrs.frozen\n", f"{state}@attrs.frozen\n", 1)


def _commands(kind: type[Plugin], names: Names) -> str:
    """The way from here to a network that is trained with the plugin."""
    differentiable = kind in (Activation, Layer, RecurrentCell, Loss)
    question = (
        "is its gradient right?" if differentiable else f"does it do all that a {kind.noun} must?"
    )
    told = {
        'pip install -e ".[dev]"': "from here on rnnkit finds it",
        f"rnnkit gradcheck {names.spec_name}": question,
    }
    if kind in PLACES:
        spec = f"specs/{names.name}.toml"
        told["pytest"] = f"the same as tests, and the whole network of {spec}"
        told[f"rnnkit train {spec}"] = "on the data of `rnnkit data demo data/scenes`"
    else:
        told["pytest"] = "the same as tests"
        prepare = f"rnnkit data prepare --images photos --captions FILE --encoder {names.spec_name} --out data"
        told[prepare] = "a data folder of your photos"
    width = max(map(len, told))
    return "\n".join(f"{command:{width}}   # {comment}" for command, comment in told.items())


def _template(path: str) -> str:
    return files("rnnkit.registry.scaffold").joinpath("templates", path).read_text(encoding="utf-8")


def _write_together(folder: Path, texts: dict[str, str]) -> None:
    """Write a folder beside its place, then move it there."""
    folder = Path(os.path.abspath(folder))
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    missing = [parent for parent in folder.parents if not parent.exists()]
    done = False
    try:
        for path, text in texts.items():
            file = temporary / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        temporary.rename(folder)
        done = True
    except OSError as e:
        raise RegistryError(f"cannot write {folder}: {e.strerror or e}") from e
    finally:
        if not done:
            for left in (temporary, *missing[-1:]):
                shutil.rmtree(left, ignore_errors=True)
