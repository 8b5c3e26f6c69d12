"""Plugins that misbehave: as they are imported, looked at, or run."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from random import Random

from rnnkit.registry import entry_points
from tests.hostile.case import OUT, Base, Case

BODY = '''
import attrs, numpy as np
from rnnkit.kinds import Activation
{top}
@attrs.frozen{meta}
class Wild(Activation):
    """y = x"""
    {options}
    def forward(self, x):
        {forward}
    def backward(self, dy, cache):
        {backward}
    {more}
'''
# Ctrl-C itself is not among them: a plugin that raises it is a user who presses it.
RAISES = (
    "raise ValueError('no')", "raise SystemExit(0)", "raise SystemExit('bye')", "raise BaseException('x')",
    "raise MemoryError", "raise RecursionError", "raise Strange()", "1 / 0", "print('noise')", "import sys; sys.exit(3)",
    "raise GeneratorExit", "raise StopIteration", "import os; os.close(1)", "import sys; sys.stdout.write('\\x1b[31m')",
    "assert False",
)  # fmt: skip
RETURNS = (
    "return x, x", "return x", "return None", "return x[:1], x", "return x * np.nan, x", "return x.astype('f2'), x", "return 3, 3",
    "return (x, x, x)", "x += 1; return x, x", "return np.zeros((10, 10)), None", "return 'x', x", "return x + 1j, x",
)  # fmt: skip
MORE = (
    "pass", "def __repr__(self): raise ValueError('no repr')", "def __str__(self): return 3", "forward = max",
    "def __eq__(self, other): raise ValueError", "def __hash__(self): raise SystemExit", "__doc__ = 3", "api = 7", "api = 'x'",
    "def __getattribute__(self, n): raise AttributeError(n)", "def __attrs_post_init__(self): 1 / 0", "def __attrs_post_init__(self): exit()",
    "def __attrs_post_init__(self): raise Strange()", "def __attrs_pre_init__(self): raise ValueError", "def __init__(self): pass",
    "def __new__(cls, *a, **b): raise KeyError", "def __new__(cls, *a, **b): return 3", "def __init__(self, *a, **b): 1 / 0",
    "def __getattr__(self, n): 1 / 0", "def __bool__(self): raise ValueError", "__len__ = lambda self: 1 / 0", "a: int = 3; a = property(lambda self: 1 / 0)", "__slots__ = ('x',)", "def __repr__(self): return '\\x1b[31m[/x]'",
)  # fmt: skip
OPTIONS = (
    "pass", "a: int = 3", "a: 'Nowhere' = 3", "a: object = None", "a: float = float('nan')", "a: int = 'x'", "a: int",
    "a: int = attrs.field(default=1, validator=lambda *x: 1 / 0)", "a: list = []", "a: int = attrs.Factory(lambda: 1 / 0)",
    "a: int = attrs.Factory(lambda: exit())", "a: int = attrs.Factory(lambda self: self.b, takes_self=True)", "a: int = attrs.field(init=False)",
    "a: int = attrs.field(default=1, converter=lambda x: 1 / 0)", "a: int = attrs.field(default=1, converter=lambda x: x + 'x')",
    "a: int = attrs.field(default=1, validator=lambda *x: exit())", "a: int = attrs.field(default=1, validator=3)", "a: int = attrs.Factory(int, 1)",
    "a: int = attrs.field(default=1, validator=attrs.validators.gt('x'))", "a: float = attrs.field(default=1.0, repr=lambda x: 1 / 0)",
    "a: int = attrs.field(default=1, metadata={'option': 1 / 1})", "_a: int = 3", "a: int = attrs.field(default=1, alias='b')",
    "a: Activation = attrs.Factory(lambda: Wild())", "a: tuple[int, ...] = (1, 'x')", "a: int = attrs.field(default=1, kw_only=True, eq=lambda x: 1 / 0)",
)  # fmt: skip
META = ("", "", "", "(repr=False)", "(init=False)", "(slots=False)", "(eq=False)")
STRANGE = """
class Strange(Exception):
    def __str__(self): raise ValueError('no text')
"""


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A package with one activation, which is wrong in one or two ways; and a call that meets it."""
    top, forward, backward, more, options = "", "return x, x", "return dy", "pass", "pass"
    where = rng.choice(("import", "forward", "forward", "backward", "class", "options"))
    if where == "import":
        top = rng.choice(RAISES)
    elif where == "forward":
        forward = rng.choice((*RAISES, *RETURNS))
        forward += "; return x, x" if "return" not in forward else ""
    elif where == "backward":
        backward = rng.choice(RAISES)
    elif where == "class":
        more = rng.choice(MORE)
    else:
        options = rng.choice(OPTIONS)
    source = BODY.format(
        top=top,
        meta=rng.choice(META),
        options=options,
        forward=forward,
        backward=backward,
        more=more,
    )
    source = (
        source.replace("\n@attrs", f"\n{STRANGE}\n@attrs")
        if "Strange" in forward + backward + more
        else STRANGE + source
    )
    site = folder / "site"
    info = site / "wild-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "wild_plugin.py").write_text(source)
    name = rng.choice(
        (
            "wild",
            "wild",
            "wild",
            "wild",
            "wild",
            "tanh",
            "[/x]",
            "a b",
            "Wild",
            "\x1b[31m",
            "wild[x]",
        )
    )
    target = rng.choice(
        ("wild_plugin:Wild",) * 8
        + ("wild_plugin:np", "wild_plugin", "nowhere:X", "wild_plugin:Wild.forward", ":", "")
    )
    (info / "entry_points.txt").write_text(f"[rnnkit.activations]\n{name} = {target}\n")
    (info / "METADATA").write_bytes(
        rng.choice(
            (b"Metadata-Version: 2.1\nName: wild\nVersion: 1.0\n",) * 6
            + (b"", b"Name: \xff\xfe\n", b"Version: x\n")
        )
    )
    spec = base.spec.read_text().replace(
        "[[model.rnn]]", 'head = [{ use = "affine", units = 5 }, "wild", "affine"]\n[[model.rnn]]'
    )
    (folder / "spec.toml").write_text(spec)
    command = rng.choice((
        ["plugins", "list"], ["plugins", "list", "--json"], ["plugins", "show", "wild"], ["plugins", "show", "wild", "--json"],
        ["build", "spec.toml"], ["train", "spec.toml", "--out", OUT, "--set", "train.epochs=1"], ["gradcheck", "wild"], ["build", str(base.spec)], ["schema"],
    ))  # fmt: skip
    wrong = {
        "import": top,
        "forward": forward,
        "backward": backward,
        "class": more,
        "options": options,
    }
    return Case(
        f"{where}: {wrong[where]}, as {name!a} = {target}", tuple(command), partial(_install, site)
    )


def _install(site: Path) -> None:
    """Have a folder of packages looked at, as if it had been there when Python started."""
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    for looked in vars(entry_points).values():
        getattr(looked, "cache_clear", int)()
