"""What never matters: leaves whose gradient is right, and 0 in every example.

A gradient of 0 can be right in one example, as where every unit of a relu is off. Where it is 0 in all of them,
the leaf is there for nothing, or the forward pass has forgotten it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rnnkit.testing.examine import Finding

SENTENCES = {
    r"first s\.(?!h$)(.+)": "slot {} of the state never matters: no output of a later step depends on it",
    r"(?:p|\d+\.cell|\d+)\.(.+)": "parameter {} never gets a gradient",
    r"(h0)\.\d+": "the initial state {} never matters: no output depends on it",
    r"(x|zx|zh|scores)": "the input {} never matters: its gradient is always 0",
}
"""Names of leaves, and what it means if none of that name is ever reached.

In one step, `s.*`, a slot may have a gradient just because it is carried along, and slot h has its way on through
the engine; so slots are judged by the outputs of several steps, `first s.*`, and h is not.
"""


def never_reached(findings: Iterable[Finding]) -> Iterator[str]:
    """A sentence for each leaf that has no gradient in any example.

    Args:
        findings: of all checks of one variant of a plugin, all well.
    """
    reached: dict[str, bool] = {}
    for finding in findings:
        for leaf, any_gradient in finding.reached.items():
            for pattern, sentence in SENTENCES.items():
                if match := re.fullmatch(pattern, leaf):
                    told = sentence.format(match[1])
                    reached[told] = reached.get(told, False) or any_gradient
                    break
    yield from (told for told, ever in reached.items() if not ever)
