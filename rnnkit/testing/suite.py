"""The harness as a pytest suite: one test for each plugin and case.

    pytest --pyargs rnnkit.testing.suite --rnnkit my-cells     # the plugins of an installed package

or a test file of one line, beside the plugins:

    from rnnkit.testing.suite import *

which checks the plugin classes that the file itself names, else those that the project's `pyproject.toml`
declares, else those in the Python files of its folder; and the specs in the project's `specs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnkit.testing.pytest_plugin import SelectedCheck

__all__ = ["test_rnnkit"]


def test_rnnkit(rnnkit_check: SelectedCheck) -> None:
    """One check of one plugin or spec; on failure the message explains."""
    __tracebackhide__ = True
    rnnkit_check.run()
