"""Trains networks: updates, evaluations, checkpoints, and several runs side by side."""

from rnnkit.training.comparing import compare
from rnnkit.training.curves import draw_curves, write_curves
from rnnkit.training.history import History, Judged, Record, Step, Update, read_history
from rnnkit.training.place import Place, Scored
from rnnkit.training.results import (
    Estimate,
    Failed,
    Learnt,
    Point,
    Result,
    Row,
    level_with_best,
    rows_of,
    write_results,
)
from rnnkit.training.run import Run, train
from rnnkit.training.trainer import Trainer

__all__ = [
    "Estimate",
    "Failed",
    "History",
    "Judged",
    "Learnt",
    "Place",
    "Point",
    "Record",
    "Result",
    "Row",
    "Run",
    "Scored",
    "Step",
    "Trainer",
    "Update",
    "compare",
    "draw_curves",
    "level_with_best",
    "read_history",
    "rows_of",
    "train",
    "write_curves",
    "write_results",
]
