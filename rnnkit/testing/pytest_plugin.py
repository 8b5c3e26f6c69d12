"""The pytest plugin: options, and one test for each check. Imports nothing of rnnkit until it is used."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rnnkit.testing.checks import Check
    from rnnkit.testing.targets import Target


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rnnkit`, `--rnnkit-seed` and `--rnnkit-no-answers`."""
    group = parser.getgroup("rnnkit", "gradient checks of rnnkit plugins")
    group.addoption("--rnnkit", metavar="DIST", help="check the plugins of this installed package")
    group.addoption("--rnnkit-seed", type=int, default=0, help="base seed of all random numbers")
    group.addoption(
        "--rnnkit-no-answers",
        action="store_true",
        help="do not say what a wrong gradient should be, for courses",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check, where a test asks for `rnnkit_check`."""
    if "rnnkit_check" not in metafunc.fixturenames:
        return
    seed = metafunc.config.getoption("--rnnkit-seed")
    answers = not metafunc.config.getoption("--rnnkit-no-answers")
    checks = [
        SelectedCheck(target, check, seed, answers=answers)
        for target in _targets(metafunc)
        for check in (_problem(target) if target.problem else target.checks())
    ]
    metafunc.parametrize("rnnkit_check", checks, ids=[c.id for c in checks])


class SelectedCheck:
    """One check that pytest runs."""

    def __init__(self, target: Target, check: Check, seed: int, *, answers: bool) -> None:
        self.target = target
        self.check = check
        self.seed = seed
        self.answers = answers

    @property
    def id(self) -> str:
        """A name that `-k` can select: `cell:lstm-step-N2-H5`."""
        words = f"{self.target.kind}:{self.target.name}-{self.check.id}"
        return re.sub(r"[^\w:.]+", "-", words.replace("=", "")).strip("-")

    def run(self) -> None:
        """Run it; fail with the explanation."""
        __tracebackhide__ = True
        from rnnkit.errors import MissingPackage
        from rnnkit.testing.answers import answered
        from rnnkit.testing.report import explain
        from rnnkit.testing.targets import Failure, Report

        try:
            finding = self.check.run(self.seed)
        except MissingPackage as e:
            pytest.skip(str(e))
        if not finding.ok:
            told = finding.explained()
            told = answered(told, finding.diagnosis) if self.answers else told
            failures = (Failure(self.check.id, told),)
            report = Report(self.target, 1, finding.error, 0.0, failures, ())
            pytest.fail(explain(report, self.seed, answers=self.answers), pytrace=False)


def _problem(target: Target) -> Iterator[Check]:
    """The check of a plugin that cannot be loaded: it fails with the reason."""
    from rnnkit.testing.checks import Check
    from rnnkit.testing.examine import Finding

    yield Check("loads", lambda seed: Finding(broken="loads", text=str(target.problem)))


def _targets(metafunc: pytest.Metafunc) -> Iterator[Target]:
    """What the test module wants checked; see `rnnkit.testing.suite`."""
    from rnnkit.registry import canonical
    from rnnkit.testing import targets

    package: str | None = metafunc.config.getoption("--rnnkit")
    if package is not None:
        found = list(targets.installed(canonical(package)))
        if not found:
            raise pytest.UsageError(
                f"--rnnkit {package}: no installed package of that name has plugins"
            )
        yield from found
    elif metafunc.module.__name__ == "rnnkit.testing.suite":
        yield from targets.installed()
    else:
        yield from _of_module(metafunc.module)


def _of_module(module: Any) -> Iterator[Target]:
    from rnnkit.kinds import Plugin
    from rnnkit.testing import targets

    file = Path(module.__file__)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Plugin)
        and not value.__module__.startswith("rnnkit.")
    ]
    project = next((d for d in file.parents if (d / "pyproject.toml").is_file()), None)
    if classes:
        for cls in classes:
            yield targets.of_class(cls, cls.__name__, str(file))
    elif project is not None and (package := _declaring(project)):
        yield from targets.installed(package)
        yield from _not_installed(project, package)
        for spec in sorted((project / "specs").glob("*.toml")):
            yield _of_spec(spec)
    else:
        yield from _of_folder(file)


def _declaring(project: Path) -> str | None:
    """The name of the project's distribution, if it declares plugins."""
    from rnnkit.registry import canonical

    table = _project_table(project)
    declares = any(group.startswith("rnnkit.") for group in table.get("entry-points", {}))
    return canonical(table["name"]) if declares else None


def _project_table(project: Path) -> dict[str, Any]:
    source = (project / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(source).get("project", {})
    return table


def _not_installed(project: Path, package: str) -> Iterator[Target]:
    """The plugins that the project declares and the installed package does not have."""
    from rnnkit.kinds import KINDS
    from rnnkit.registry import entries_of
    from rnnkit.testing.targets import Target

    declared = _project_table(project)["entry-points"]
    for kind in KINDS:
        known = {entry.name for entry in entries_of(kind) if entry.package == package}
        for name in declared.get(kind.group, {}):
            if name not in known:
                problem = f"it is not installed: run  pip install -e {shlex.quote(str(project))}"
                yield Target(kind.noun, name, package, lambda: iter(()), problem=problem)


def _of_spec(file: Path) -> Target:
    """A spec, or why it cannot be read."""
    from rnnkit.errors import SpecError
    from rnnkit.testing.targets import Target, of_spec

    try:
        return of_spec(file)
    except SpecError as e:
        return Target("spec", file.name, "", lambda: iter(()), problem=str(e))


def _of_folder(file: Path) -> Iterator[Target]:
    """The plugin classes in the Python files beside a test file."""
    from rnnkit.testing import targets
    from rnnkit.testing.source import import_file, plugin_classes

    for path in sorted(file.parent.glob("*.py")):
        if path != file and "rnnkit" in path.read_text(encoding="utf-8"):
            if path.name.startswith("test_") or path.name == "conftest.py":
                continue
            for cls in plugin_classes(import_file(path)):
                yield targets.of_class(cls, f"{path.name}::{cls.__name__}", str(path))
