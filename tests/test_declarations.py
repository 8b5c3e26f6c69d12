"""Plugins that are declared or made wrongly: each has its sentence, with package and place, and hurts no other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from rnnkit import registry
from rnnkit.cli import app, schema
from rnnkit.errors import PluginFault, RegistryError
from rnnkit.kinds import Activation
from rnnkit.registry import Entry, entry_points
from rnnkit.spec import parse_spec, write_spec
from rnnkit.spec.plugins import load_plugin
from rnnkit.testing.source import class_at
from rnnkit.testing.variants import variants
from rnnkit_builtin.activations.relu import Relu
from tests.specs import LSTM
from tests.test_registry import run

GOOD = """\
import attrs
from rnnkit_builtin.activations.relu import Relu

@attrs.frozen
class Good(Relu):
    pass
"""
ELSEWHERE = "tiny_site.good:Good"


class Site:
    """A folder on the path that looks as if packages had been installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = folder / "tiny_site"
        self.modules.mkdir(parents=True)
        self.module("__init__", "")
        self.module("good", GOOD)

    def module(self, name: str, source: str) -> None:
        (self.modules / f"{name}.py").write_text(source, encoding="utf-8")

    def package(
        self, folder: str, points: str | bytes, metadata: str | bytes | None = None
    ) -> Path:
        place = self.folder / f"{folder}.dist-info"
        place.mkdir()
        name, version = folder.split("-")
        told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        for file, text in (
            ("METADATA", told if metadata is None else metadata),
            ("entry_points.txt", points),
        ):
            content = text if isinstance(text, bytes) else text.encode()
            (place / file).write_bytes(content)
        return place

    def problems(self, kind: type = Activation) -> dict[tuple[str, str, str], str | None]:
        """(package, version, name) -> its sentence; of the packages that are not rnnkit's own."""
        return {
            (row.entry.package, row.entry.version, row.entry.name): row.problem
            for row in registry.survey([kind])
            if not row.entry.package.startswith("rnnkit")
        }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(made.folder)
    _forget()
    yield made
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    entry_points._claims.cache_clear()
    entry_points._declared.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny_site"]:
        del sys.modules[name]
    for entry in [e for e in entry_points._LOADED if e.target.startswith("tiny_site.")]:
        del entry_points._LOADED[entry]


def line(name: str, target: str) -> str:
    return f"[rnnkit.activations]\n{name} = {target}\n"


# How it is declared.


@pytest.mark.parametrize(
    ("points", "name", "sentence"),
    [
        (
            line("leaky", "tiny_site.good"),
            "leaky",
            'it names a module and no class in it: write  leaky = "tiny_site.good:CLASS"',
        ),
        (line("leaky", ""), "leaky", 'it names no class: write  leaky = "MODULE:CLASS"'),
        ("[rnnkit.activations]\nleaky\n", "leaky", 'it names no class: write  leaky = "MODULE'),
        (line("", ELSEWHERE), "", f'it has no name: write  NAME = "{ELSEWHERE}"'),
        (line("My Leaky", ELSEWHERE), "My Leaky", "digits and hyphens: write 'my-leaky'"),
        (line("LeakyReLU", ELSEWHERE), "LeakyReLU", "digits and hyphens: write 'leakyrelu'"),
        (line("pkg:leaky", ELSEWHERE), "pkg:leaky", "digits and hyphens: write 'pkg-leaky'"),
        (line("[/x]", ELSEWHERE), "[/x]", "digits and hyphens: write 'x'"),
        (line("über", ELSEWHERE), "über", "digits and hyphens: write 'ber'"),
        (
            line("leaky", f"{ELSEWHERE} [gpu]"),
            "leaky",
            f'a plugin cannot ask for extras [gpu]: write  leaky = "{ELSEWHERE}"',
        ),
        (line("leaky", "a-b:C"), "leaky", "'a-b:C' is not module:Class: write  leaky = "),
        (line("leaky", "a/b.py"), "leaky", "'a/b.py' is not module:Class: write  leaky = "),
        (line("leaky", "a:B") + "leaky = a:C\n", "leaky", "it is declared 2 times: keep one line"),
        (
            f"[rnnkit.activation]\nleaky = {ELSEWHERE}\n",
            "leaky",
            "it is declared under 'rnnkit.activation', which is no group of plugins: write 'rnnkit.act",
        ),
    ],
)
def test_a_line_that_is_no_plugin_says_what_to_write(
    site: Site, points: str, name: str, sentence: str
) -> None:
    place = site.package(
        "Tiny_Site-1.5", points + "\n[rnnkit.activations]\n; a remark\nfine = " + ELSEWHERE
    )
    problems = site.problems()
    assert problems.pop(("tiny-site", "1.5", "fine")) is None
    problem = problems.pop(("tiny-site", "1.5", name))
    assert problems == {}
    assert problem is not None
    assert f"activation {name!r} from tiny-site 1.5 (" in problem
    assert sentence in problem
    assert problem.endswith(
        ', under [project.entry-points."rnnkit.activations"] in its pyproject.toml, and install it again '
        f"[{place / 'entry_points.txt'}]"
    )


def test_blanks_around_the_parts_of_a_target_are_none_of_it(site: Site) -> None:
    site.package("tiny_site-1.5", line("leaky", "tiny_site.good : Good"))
    assert site.problems() == {("tiny-site", "1.5", "leaky"): None}
    entry = registry.entry_of(registry.load(Activation, "leaky")())
    assert entry == Entry(Activation, "leaky", "tiny-site", "1.5", ELSEWHERE)


def test_a_line_that_is_no_plugin_takes_no_name_from_another(site: Site) -> None:
    site.package("tiny_site-1.5", line("relu", "tiny_site.good"))
    assert registry.load(Activation, "relu") is Relu
    assert [e.package for e in registry.entries_called("relu", Activation)] == ["rnnkit"]
    entry = registry.entry_of(Relu())
    assert entry is not None
    assert entry.spec_name == "relu"
    with pytest.raises(RegistryError, match="names a module and no class"):
        registry.load(Activation, "tiny-site:relu")


# Metadata folders.


@pytest.mark.parametrize("other", ["tiny_site-0.2.0", "Tiny.Site-0.2.0", "TINY_site-0.2.0"])
def test_a_package_that_is_installed_twice_in_a_folder_is_told_with_both(
    site: Site, other: str
) -> None:
    site.package("tiny_site-0.1.0", line("leaky", "tiny_site.old:Gone"))
    told = "Metadata-Version: 2.1\nName: tiny-site\nVersion: 0.2.0\n"
    site.package(other, line("leaky", ELSEWHERE) + f"new = {ELSEWHERE}\n", told)
    site.package("other_site-1.0", line("fine", ELSEWHERE))
    problems = site.problems()
    assert problems.pop(("other-site", "1.0", "fine")) is None
    assert sorted(name for _, _, name in problems) == ["leaky", "new"]
    folders = " and ".join(sorted(["tiny_site-0.1.0.dist-info", f"{other}.dist-info"]))
    for (package, version, _), problem in problems.items():
        assert package == "tiny-site"
        assert sorted(version.split(" or ")) == ["0.1.0", "0.2.0"]
        assert problem is not None
        assert problem.endswith(
            f"its package is installed 2 times in one folder, as {folders}, and all but one are left over: run  "
            f"pip uninstall tiny-site  until pip finds none, and install it again [{site.folder}]"
        )


def test_what_pip_was_about_to_delete_is_no_package(site: Site) -> None:
    site.package("tiny_site-2.0", line("new", ELSEWHERE))
    site.package("~iny_site-1.0", line("old", "x"), "Name: tiny-site\nVersion: 1.0\n")
    assert site.problems() == {("tiny-site", "2.0", "new"): None}


def test_a_package_hides_those_of_its_name_further_on_the_path(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.package("tiny_site-1.0", line("old", ELSEWHERE))
    nearer = Site(tmp_path / "nearer")
    nearer.package("Tiny-2.0", "", "Metadata-Version: 2.1\nName: tiny.site\nVersion: 2.0\n")
    nearer.package("tiny.site-2.0", line("new", ELSEWHERE))
    monkeypatch.syspath_prepend(site.folder)  # again, which is no second package
    monkeypatch.syspath_prepend(nearer.folder)
    assert site.problems() == {("tiny-site", "2.0", "new"): None}


@pytest.mark.parametrize(
    ("metadata", "package", "version", "sentence"),
    [
        ("Metadata-Version: 2.1\nVersion: 3\n", "tiny-site", "3", "metadata have no Name"),
        ("", "tiny-site", "1.5", "metadata have no Name"),
        (
            b"Name: tiny\xff\nVersion: 3\n",
            "tiny-site",
            "1.5",
            "metadata cannot be read (UnicodeDec",
        ),
    ],
)
def test_metadata_that_do_not_say_whose_they_are_are_told(
    site: Site, metadata: str | bytes, package: str, version: str, sentence: str
) -> None:
    place = site.package("tiny_site-1.5", line("leaky", ELSEWHERE), metadata)
    [(found, problem)] = site.problems().items()
    assert found == (package, version, "leaky")
    assert problem is not None
    assert f": its package's {sentence}" in problem
    assert problem.endswith(f": install the package again [{place}]")


def test_entry_points_that_are_not_utf_8_are_told(site: Site) -> None:
    points = line("leaky", "tiny_site.caf\xe9:Good").encode("latin-1")
    site.package("tiny_site-1.5", points)
    site.package("other_site-1", b"[console_scripts]\ncaf\xe9 = a:b\n")  # nothing of rnnkit's
    [problem] = site.problems().values()
    assert problem is not None
    assert (
        f"its package's entry_points.txt is not UTF-8 text (byte {points.index(0xE9)}): ins"
        in problem
    )


# What it is made of.

BROKEN = {
    "prints": "print('{ I am no JSON')\n" + GOOD,
    "exits": "raise SystemExit(3)\n",
    "stops": "raise BaseException('enough')\n",
    "mute": "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E\n",
    "builtin": GOOD.replace("    pass", "    forward = max"),
    "number": GOOD.replace("    pass", "    forward = 3"),
    "default": GOOD.replace("    pass", "    a: int = attrs.Factory(lambda: 1 / 0)"),
    "word": GOOD.replace("    pass", "    a: int = 'x'"),
    "bare": GOOD.replace("    pass", "    a: Relu = attrs.Factory(lambda: Bare())").replace(
        "\n@attrs", "\n@attrs.frozen(init=False)\nclass Bare(Relu):\n    b: int = 3\n\n@attrs"
    ),
    "object": "class O:\n    def __repr__(self):\n        raise OSError('no')\nGood = O()\n",
    "meta": "from abc import ABCMeta\nfrom rnnkit.kinds import Activation\n"
    "class M(ABCMeta):\n    def __repr__(cls):\n        raise OSError('no')\n"
    "class Good(Activation, metaclass=M):\n    pass\n",
    "dir": "from abc import ABCMeta\nfrom rnnkit_builtin.activations.relu import Relu\n"
    "class M(ABCMeta):\n    def __dir__(cls):\n        raise OSError('no')\n"
    "class Good(Relu, metaclass=M):\n    pass\n",
    "look": "from abc import ABCMeta\nfrom rnnkit_builtin.activations.relu import Relu\n"
    "class M(ABCMeta):\n    def __str__(cls):\n        raise SystemExit('no')\n"
    "class Good(Relu, metaclass=M):\n    pass\n",
}
SAID = {
    "prints": None,
    "exits": "fails to import: SystemExit: 3 [",
    "stops": "fails to import: BaseException: enough [",
    "mute": "fails to import: E: its message cannot be made, which raises ValueError [",
    "builtin": "forward is <built-in function max>, of which Python cannot tell the arguments: write",
    "number": "forward is 3, of which Python cannot tell the arguments: write it with def",
    "default": "fails when it is looked at: ZeroDivisionError: division by zero [",
    "word": "the default of option 'a' is no whole number",
    "bare": "the default of option 'a' is no activation name",
    "object": "fails when it is looked at: OSError: no [",
    "meta": "fails when it is looked at: OSError: no [",
    "dir": "fails when it is looked at: OSError: no [",
    "look": "fails when it is looked at: SystemExit: no [",
}


@pytest.fixture
def broken(site: Site) -> Site:
    """A site whose plugins are all wrong in other ways, but one."""
    for name, source in BROKEN.items():
        site.module(name, source)
    targets = "".join(f"{name} = tiny_site.{name}:Good\n" for name in BROKEN)
    site.package("tiny_site-1.5", f"[rnnkit.activations]\n{targets}fine = {ELSEWHERE}\nBad = x\n")
    return site


def test_a_plugin_that_breaks_when_it_is_touched_is_told(
    broken: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = {name: problem for (_, _, name), problem in broken.problems().items()}
    assert problems.pop("fine") is None
    assert problems.pop("Bad") is not None
    assert problems.keys() == SAID.keys()
    for name, said in SAID.items():
        problem = problems[name]
        if said is None:
            assert problem is None
        else:
            assert problem is not None
            assert f"activation {name!r} from tiny-site 1.5" in problem
            assert said in problem
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "{ I am no JSON" in printed.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_breaks_when_it_is_touched_is_told(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.module(f"file_{name}", BROKEN[name])
    file = site.modules / f"file_{name}.py"
    said = SAID[name]
    if said is None:
        assert class_at(f"{file}::Good").__name__ == "Good"
    elif name == "object":
        with pytest.raises(RegistryError, match=r"name a plugin class as .*; it has nothing"):
            class_at(f"{file}::Good")
    else:
        with pytest.raises(RegistryError) as caught:
            class_at(f"{file}::Good")
        assert said in str(caught.value)
        assert str(file) in str(caught.value)
    assert capsys.readouterr().out == ""
    monkeypatch.delitem(sys.modules, file.stem, raising=False)


def test_defaults_that_follow_from_others_are_left_open(site: Site) -> None:
    source = GOOD.replace("    pass", "    a: int = 3\n    _b: int = attrs.field(default=4)\n")
    source += "    c: int = attrs.Factory(lambda self: self.a + 1, takes_self=True)\n"
    site.module("derived", source)
    site.package("tiny_site-1.5", "[rnnkit.activations]\nderived = tiny_site.derived:Good\n")
    assert [*site.problems().values()] == [None]
    made = load_plugin("activation", "derived", a=5, _b=6)
    assert (made.a, made._b, made.c) == (5, 6, 6)
    assert "c = 6" in write_spec(
        parse_spec(
            LSTM.replace("[model]", '[model]\nimage = ["affine", { use = "derived", a = 5 }]')
        )
    )


def test_a_default_that_is_no_number_is_no_nan_in_the_schema(site: Site) -> None:
    site.module("nan", GOOD.replace("    pass", "    a: float = float('nan')"))
    site.package("tiny_site-1.5", "[rnnkit.activations]\nnan = tiny_site.nan:Good\n")
    tables = json.loads(schema.text(), parse_constant=pytest.fail)["$defs"]
    assert tables["activation.tiny-site.nan"]["properties"]["a"]["type"] == "number"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    a: int = 3", "__init__ leaves the option 'a' without a value"),
        (
            "    def __new__(cls):\n        return 3",
            "the class makes int 3, which is no activation",
        ),
    ],
)
def test_a_class_that_makes_something_else_of_its_options_is_blamed(
    site: Site, body: str, said: str
) -> None:
    source = GOOD.replace("    pass", body)
    if "__new__" not in body:
        source = source.replace("@attrs.frozen", "@attrs.frozen(init=False)")
    site.module("wrong", source)
    site.package("tiny_site-1.5", "[rnnkit.activations]\nwrong = tiny_site.wrong:Good\n")
    with pytest.raises(PluginFault, match=rf"activation 'wrong' from tiny-site 1\.5 .*: {said}"):
        load_plugin("activation", "wrong")


def test_ctrl_c_while_a_plugin_is_imported_is_the_users(site: Site) -> None:
    site.module("slow", "raise KeyboardInterrupt\n")
    site.package("tiny_site-1.5", line("slow", "tiny_site.slow:Good"))
    with pytest.raises(KeyboardInterrupt):
        registry.load(Activation, "slow")


def test_the_command_line_tells_what_is_wrong_and_shows_the_others(
    broken: Site, tmp_path: Path, tiny_data: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(broken.folder)}
    listed = run(environment, "plugins", "list", "activation", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["relu"]["problem"] is None
    assert rows["fine"]["problem"] is None
    assert "lower-case letters, digits and hyphens" in rows["Bad"]["problem"]
    plain = run(environment, "plugins", "list", "activation")
    assert plain.returncode == 0, plain.stderr
    assert rows["Bad"]["problem"] in plain.stdout
    shown = run(environment, "plugins", "show", "Bad")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert rows["Bad"]["problem"] in shown.stderr
    checked = run(environment, "gradcheck", "Bad", "fine", "stops")
    assert checked.returncode == 1
    assert rows["Bad"]["problem"] in checked.stdout
    assert rows["stops"]["problem"] in checked.stdout
    spec = tmp_path / "spec.toml"
    spec.write_text('[[model.rnn]]\ncell = { use = "vanilla", activation = "Bad" }\n')
    built = run(environment, "build", str(spec), "--data", str(tiny_data))
    assert built.returncode == 2
    assert f"{spec}:2: model.rnn[0].cell.activation: {rows['Bad']['problem']}" in built.stderr


def test_the_list_shows_names_as_they_are_written(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.package("tiny_site-1.5", line("[/x]", ELSEWHERE) + f"[bold]b = {ELSEWHERE}\n")
    app(["plugins", "list", "activation"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "\nactivation [/x] " in out
    assert "\nactivation [bold]b " in out
    assert app(["gradcheck", "[/x]", "[bold]b"], standalone_mode=False) == 1
    out = capsys.readouterr().out
    assert "\nactivation [/x] " in out
    assert "\nactivation [bold]b " in out


@attrs.frozen
class Around(Relu):
    """A plugin that cannot be made without another."""

    inner: Activation


def test_a_wrong_plugin_is_no_example_for_others(site: Site) -> None:
    site.package("tiny_site-1.5", line("0", "tiny_site.good"))
    assert registry.names(Activation)[0] == "0"
    made = next(variants(Around))
    assert type(made.plugin.inner).__module__.startswith("rnnkit_builtin.")
