"""`rnnkit plugins new`: what it writes is typed, explains what is missing, and works once the maths is there."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from rnnkit.errors import RegistryError
from rnnkit.kinds import (
    KINDS,
    Array,
    DType,
    GatedCell,
    NoParams,
    Optimizer,
    Plugin,
    RecurrentCell,
    Rng,
    Slots,
    State,
)
from rnnkit.registry import kind_called
from rnnkit.registry.scaffold import Project, new_project
from rnnkit.registry.scaffold.project import TIERS
from rnnkit.testing.report import explain
from rnnkit.testing.targets import of_class
from rnnkit.testing.targets import run as run_checks
from rnnkit.testing.unwritten import unwritten

Ran = subprocess.CompletedProcess[str]

LEAKY = {
    "h' = f(zx, zh, h): the equation of the step, in one line.": "h' = (1 - a) h + a tanh(zx + zh).",
    'Authors, "Title" (year), section.': 'Jaeger, "The echo state approach" (2001), section 2.',
    "import attrs\n": "import attrs\nimport numpy as np\n",
    "    h: Array  # (N, H)": "    g: Array  # (N, H)",
    "    An option is a field, as in `rate: float = 0.5`, and is described here under `Attributes:`.": (
        "    Attributes:\n        rate: a, how fast the state follows."
    ),
    "    x_gates: ClassVar": "    rate: float = 0.5\n    x_gates: ClassVar",
    '        raise NotImplementedError("write the step, from zx, zh and s to the next state")': (
        "        g = np.tanh(zx + zh)\n"
        "        return State((1.0 - self.rate) * s.h + self.rate * g), LeakyCache(g)"
    ),
    '        raise NotImplementedError("write the step back, from ds to dzx, dzh and the gradient of s")': (
        "        dz = self.rate * ds.h * (1.0 - cache.g**2)\n"
        "        return dz, dz, State((1.0 - self.rate) * ds.h), p"
    ),
}
"""What the author of a leaky integrator replaces."""

MATHS = {
    "my-free": [
        "h = np.tanh(x @ p.Wx + s.h @ p.Wh + p.b)\n        return State(h), MyFreeCache(x, s.h, h)",
        "dz = ds.h * (1.0 - cache.h**2)\n"
        "        dp = MyFreeParams(Wx=cache.x.T @ dz, Wh=cache.h_prev.T @ dz, b=dz.sum(axis=0))\n"
        "        return dz @ p.Wx.T, State(dz @ p.Wh.T), dp",
    ],
    "my-gated-step": ["return State(np.tanh(zx + zh))"],
    "my-free-step": ["return State(np.tanh(x @ p.Wx + s.h @ p.Wh))"],
    "my-activation": ["y = np.tanh(x)\n        return y, y", "return dy * (1.0 - saved**2)"],
    "my-layer": [
        "return x * p.gain, MyLayerCache(x)",
        "axes = tuple(range(dy.ndim - 1))\n"
        "        return dy * p.gain, MyLayerParams(gain=(dy * cache.x).sum(axis=axes))",
    ],
    "my-loss": [
        "d = scores * mask[:, None]\n        d[np.arange(len(d)), targets] -= mask\n"
        "        loss: Scalar = 0.5 * (d**2).sum()\n        return loss, d"
    ],
    "my-optimizer": [
        "v = slots.velocity\n        v *= 0.9\n        v += dw\n"
        "        w -= self.learning_rate * factor * v"
    ],
    "my-initializer": ["return rng.normal(0.0, fan_in**-0.5, shape).astype(dtype)"],
    "my-schedule": ["return 1.0 - at.step / at.steps"],
    "my-encoder": ["return prepared.mean(axis=(1, 2), dtype=np.float32)"],
    "my-reward": ["return len({*caption} & {word for text in references for word in text}) / 9.0"],
    "my-decoder": ["best: Ints = np.argmax(log_probs, axis=1)\n        return best"],
}
"""What the author of each other plugin writes in the places of its NotImplementedErrors, in their order."""


def run(environment: dict[str, str], *arguments: str | Path, cwd: Path | None = None) -> Ran:
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


def replaced(project: Project, replacements: dict[str, str]) -> None:
    file = project.folder / project.plugin
    text = file.read_text()
    for old, new in replacements.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A new project of each kind and tier as it is written, by the name of its plugin."""
    folder = tmp_path_factory.mktemp("projects")
    wanted: list[tuple[type[Plugin], str, str | None, bool]] = [
        (RecurrentCell, f"my-{tier}{'-step' * step}", tier, step)
        for tier in TIERS
        for step in (False, True)
    ]
    others = [kind for kind in KINDS if kind is not RecurrentCell]
    wanted += [(kind, f"my-{kind.noun}", None, False) for kind in others]
    return {
        name: new_project(kind, name, folder / name, tier=tier, step_only=step)
        for kind, name, tier, step in wanted
    }


@pytest.fixture(scope="session")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A gated cell whose author has written the maths."""
    folder = tmp_path_factory.mktemp("leaky") / "rnnkit-leaky"
    project = new_project(kind_called("cell"), "leaky", folder)
    replaced(project, LEAKY)
    return project


@pytest.fixture(scope="session")
def installed(
    projects: dict[str, Project], leaky: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of a process in which all of them are installed, by pip."""
    site = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    folders = [str(project.folder) for project in (leaky, *projects.values())]
    command = ["pip", "install", *options, "--target", str(site), *folders]
    ran = run(dict(os.environ), *command)
    assert ran.returncode == 0, ran.stderr
    return {**os.environ, "PYTHONPATH": str(site)}


def test_every_kind_and_tier_has_a_template_with_maths_to_write(
    projects: dict[str, Project],
) -> None:
    assert len(projects) == len(KINDS) + 3
    for name, project in projects.items():
        lines = (project.folder / project.plugin).read_text().splitlines()
        assert project.gaps, name
        assert all("raise NotImplementedError(" in lines[line - 1] for line in project.gaps)


def test_new_projects_pass_mypy_strict(projects: dict[str, Project], leaky: Project) -> None:
    sources = [str(project.folder / "src") for project in (leaky, *projects.values())]
    tests = str(leaky.folder / "tests" / "test_plugin.py")
    config = f"--config-file={leaky.folder / 'pyproject.toml'}"
    cache = f"--cache-dir={leaky.folder.parent / 'cache'}"
    ran = run(dict(os.environ), "mypy", "--strict", config, cache, *sources, tests)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_new_projects_pass_ruff(projects: dict[str, Project], leaky: Project) -> None:
    folders = [str(project.folder) for project in (leaky, *projects.values())]
    for command in (["check"], ["format", "--check"]):
        ran = run(dict(os.environ), "ruff", *command, "--no-cache", *folders)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_its_tests_say_which_method_is_missing_where_and_what_it_must_return(
    projects: dict[str, Project], installed: dict[str, str]
) -> None:
    project = projects["my-gated"]
    ran = run(installed, "pytest", "-p", "no:cacheprovider", cwd=project.folder)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "step and step_back are not written yet" in ran.stdout
    step, step_back = project.gaps
    file = Path(project.plugin).name
    assert f"{file}:{step}: write the step, from zx, zh and s to the next state" in ran.stdout
    assert f"{file}:{step_back}: write the step back" in ran.stdout
    told = " ".join(ran.stdout.split())
    assert (
        "must return tuple[State, MyGatedCache]: (s_next, cache): the next state, and what "
        "`step_back` needs." in told
    )
    assert "again: rnnkit gradcheck my-gated " in told
    assert "2 failed" in ran.stdout  # the plugin, and the spec with it: no wall of failures
    assert "Traceback" not in ran.stdout


def test_each_new_plugin_is_told_to_be_written(
    projects: dict[str, Project], installed: dict[str, str]
) -> None:
    ran = run(installed, "rnnkit", "gradcheck", *projects, "--json")
    assert ran.returncode == 1, ran.stderr
    reports = {report["name"]: report for report in json.loads(ran.stdout)}
    for name, project in projects.items():
        (failure,) = reports[name]["failures"]
        text = failure["text"]
        assert "not written yet" in text
        for line in project.gaps:
            assert f"{Path(project.plugin).name}:{line}: write " in text


def test_a_list_of_plugins_says_what_is_to_be_written(installed: dict[str, str]) -> None:
    ran = run(installed, "rnnkit", "plugins", "list", "cell")
    assert ran.returncode == 0, ran.stderr
    rows = {line.split()[1]: line.split(maxsplit=4)[4].strip() for line in ran.stdout.splitlines()}
    assert rows["my-gated"] == "not written yet: step, step_back"
    assert rows["leaky"] == rows["lstm"] == "ok"


def test_a_gated_cell_takes_fifteen_lines_to_fill_in() -> None:
    assert sum(len(new.splitlines()) for new in LEAKY.values()) <= 15


def test_the_tests_of_a_gated_cell_pass_once_its_maths_is_right(
    leaky: Project, installed: dict[str, str]
) -> None:
    ran = run(installed, "pytest", "-p", "no:cacheprovider", "-q", cwd=leaky.folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = int(ran.stdout.split(" passed")[0].split()[-1])
    assert passed >= 12


def test_a_network_trains_with_it_from_its_spec(
    leaky: Project, installed: dict[str, str], tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    smaller = [
        "--set",
        "train.epochs=1",
        "--set",
        "train.batch=8",
        "--set",
        "model.rnn[0].hidden=16",
    ]
    spec = leaky.folder / "specs" / "leaky.toml"
    ran = run(installed, "rnnkit", "train", spec, "--data", tiny_data, "--out", out, *smaller)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "leaky" in (out / "spec.toml").read_text()


def test_every_kind_passes_its_checks_once_its_maths_is_right(
    projects: dict[str, Project], installed: dict[str, str], tmp_path: Path
) -> None:
    sources = []
    for name, bodies in MATHS.items():
        project = projects[name]
        copy = shutil.copytree(project.folder / "src", tmp_path / name)
        sources.append(str(copy))
        file = copy / Path(project.plugin).relative_to("src")
        lines = file.read_text().splitlines()
        for line, body in zip(project.gaps, bodies, strict=True):
            lines[line - 1] = f"        {body}"
        if "import numpy as np" not in lines:
            lines.insert(lines.index("import attrs") + 1, "import numpy as np")
        file.write_text("\n".join(lines))
    # As in an editable installation: metadata from one folder, code from the author's.
    ahead = {**installed, "PYTHONPATH": os.pathsep.join([*sources, installed["PYTHONPATH"]])}
    ran = run(ahead, "rnnkit", "gradcheck", *MATHS)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_project_that_is_not_installed_is_told_to_be(leaky: Project) -> None:
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = run(alone, "pytest", "-p", "no:cacheprovider", "-q", cwd=leaky.folder)
    assert ran.returncode == 1, ran.stdout
    assert f"it is not installed: run  pip install -e {leaky.folder}" in ran.stdout
    assert "no cell is called 'leaky'" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_a_project_declares_its_plugin_under_its_name(projects: dict[str, Project]) -> None:
    table = tomllib.loads((projects["my-loss"].folder / "pyproject.toml").read_text())["project"]
    assert table["name"] == "rnnkit-my-loss"
    assert table["entry-points"] == {"rnnkit.losses": {"my-loss": "rnnkit_my_loss.my_loss:MyLoss"}}


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (
            "cell",
            "MyCell",
            "'MyCell' cannot be the name of a plugin: use at most 40 characters, a to z",
        ),
        ("cell", "MyCell", "such as 'my-cell'"),
        ("cell", "my_cell", "such as 'my-cell'"),
        ("cell", "2", "such as 'my-cell'"),
        ("cell", "a" * 41, f"such as '{'a' * 40}'"),
        ("cell", "a--b", "such as 'a-b'"),
        (
            "loss",
            "lambda",
            "'lambda' is a keyword of Python, so no module can have that name; try 'lambda-loss'",
        ),
        ("cell", "lstm", "has a cell called 'lstm' already; choose another name, or give --anyway"),
        ("cell", "builtin", "a Python package rnnkit_builtin is installed already"),
    ],
)
def test_a_name_that_will_not_do_is_told_with_a_way_out(
    kind: str, name: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError) as caught:
        new_project(kind_called(kind), name, tmp_path / "new")
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_free_in_another_kind(tmp_path: Path) -> None:
    assert (
        new_project(kind_called("activation"), "lstm", tmp_path / "new").names.spec_name == "lstm"
    )


def test_a_name_that_is_taken_anyway_is_written_with_its_package(tmp_path: Path) -> None:
    project = new_project(RecurrentCell, "lstm", tmp_path / "new", anyway=True)
    assert 'cell = "rnnkit-lstm:lstm"' in (project.folder / "specs" / "lstm.toml").read_text()
    assert "rnnkit gradcheck rnnkit-lstm:lstm " in (project.folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "cls"),
    [("leaky", "Leaky"), ("state", "StateCell"), ("no", "NoCell"), ("m", "MCell"), ("v2-x", "V2X")],
)
def test_a_class_name_hides_none_that_its_code_uses(name: str, cls: str, tmp_path: Path) -> None:
    assert new_project(RecurrentCell, name, tmp_path / "new").names.cls == cls


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RegistryError, match="mine exists; give a new folder with --out"):
        new_project(RecurrentCell, "leaky", tmp_path / "mine")
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_all_is_written_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text
    written: list[Path] = []

    def full_disk(file: Path, *arguments: str, **options: str) -> int:
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(file)
        return write(file, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(RegistryError, match=r"cannot write .*new: No space left on device"):
        new_project(RecurrentCell, "leaky", tmp_path / "a" / "b" / "new")
    assert len(written) == 3
    assert list(tmp_path.iterdir()) == []


def test_only_cells_have_tiers(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="only a cell has a tier; leave --tier out for a loss"):
        new_project(kind_called("loss"), "mine", tmp_path / "new", tier="free")
    with pytest.raises(RegistryError, match="there is no tier 'fast'; a cell is gated or free"):
        new_project(RecurrentCell, "mine", tmp_path / "new", tier="fast")


@pytest.mark.parametrize("tier", TIERS)
def test_a_cell_has_the_slots_that_are_asked_for(tier: str, tmp_path: Path) -> None:
    project = new_project(
        RecurrentCell, "two", tmp_path / "new", tier=tier, slots=["h", "c"], anyway=True
    )
    code = (project.folder / project.plugin).read_text()
    space: dict[str, Any] = {"__name__": "two"}
    exec(compile(code, project.plugin, "exec", dont_inherit=True), space)
    state = space[project.names.cls]().start(np.ones((2, 3)))
    assert attrs.asdict(state, recurse=False).keys() == {"h", "c"}
    np.testing.assert_array_equal(state.h, np.ones((2, 3)))
    np.testing.assert_array_equal(state.c, np.zeros((2, 3)))
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "src"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("kind", "slots", "said"),
    [
        ("cell", ["c", "h"], "the first slot is h, what the cell puts out, as in --slots h,c"),
        ("cell", ["h", "2"], "'2' cannot be the name of a slot; write letters, as in h,c"),
        ("cell", ["h", ""], "'' cannot be the name of a slot"),
        ("cell", ["h", "lambda"], "'lambda' cannot be the name of a slot"),
        ("cell", ["h", "c", "c"], "a slot is named twice in h,c,c"),
        ("loss", ["h", "c"], "only a cell has slots; leave --slots out for a loss"),
    ],
)
def test_slots_that_will_not_do_are_told(
    kind: str, slots: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError) as caught:
        new_project(kind_called(kind), "mine", tmp_path / "new", slots=slots)
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_refuses_some_of_its_inputs_is_written() -> None:
    class Refuses(GatedCell):  # type: ignore[type-arg]  # no method of it is called
        def bias(self, gate: str) -> float:
            if gate == "f":
                raise NotImplementedError("no forget gate")
            return 0.0

    assert list(unwritten(Refuses)) == []


@attrs.frozen
class OneSlot(Slots):
    v: Array


@attrs.frozen
class SetsASlot(Optimizer[OneSlot]):
    """In-place arithmetic on an attribute also sets it, which a frozen class refuses."""

    def slots(self, w: Array) -> OneSlot:
        return OneSlot(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: OneSlot, step: int, factor: float) -> None:
        slots.v *= 0.9  # type: ignore[misc]  # mypy says so, too


@attrs.frozen
class Shrinks(GatedCell[NoParams, State, None]):
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, None]:
        return State((zx + zh)[:, :1]), None

    def step_back(
        self, p: NoParams, ds: State, cache: None
    ) -> tuple[Array, Array, State, NoParams]:
        raise NotImplementedError


def explained(cls: type[Plugin]) -> str:
    return explain(run_checks(of_class(cls, cls.__name__, "here")), seed=0)


def test_setting_a_field_of_a_frozen_class_is_explained_at_the_author_s_line() -> None:
    told = explained(SetsASlot)
    assert "give it a name first: `v = slots.v`, then `v *= 0.9`" in told
    lines, first = inspect.getsourcelines(SetsASlot.update)
    assert f"[{__file__}:{first + len(lines) - 1}]" in told


def test_a_step_that_is_wrong_is_told_before_what_is_not_written() -> None:
    told = explained(Shrinks)
    assert "step returned an array of shape (2, 1) and type float64, but must return " in told
    assert "an array of shape (2, 5) as s_next.h" in told
    assert "raises" not in told
    assert "not written" not in told
