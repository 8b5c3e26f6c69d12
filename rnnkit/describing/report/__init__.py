"""Shows a run in one HTML file: how it trained, and its captions beside their pictures.

    from rnnkit.describing.report import write_report

    write_report("runs/lstm")

Whatever it shows is gathered first, as values (`charts`, `network`, `captions`, `vocabulary`, `environment`); then
one template turns these into a page, escaping all text. The page asks nothing of the network and runs no script.
"""

from rnnkit.describing.report.writing import write_report

__all__ = ["write_report"]
