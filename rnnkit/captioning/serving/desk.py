"""Where captions are written: those that are asked for at the same time are written together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.images import DRAWING, in_words
from rnnkit.captioning.photos import BATCH
from rnnkit.captioning.serving.lane import Lane
from rnnkit.captioning.serving.models import Served
from rnnkit.captioning.serving.words import Telling, Told, Word, words_of
from rnnkit.errors import PluginFault, told
from rnnkit.kinds import Decoder, Prepared
from rnnkit.registry.blame import culprit
from rnnkit.registry.labels import label
from rnnkit.registry.options import option_types

ROWS: Final = 512
"""Captions under way at once, if each whole number of a decoder may be the width of its search."""


@attrs.frozen
class Said:
    """What a model says of a photo.

    Attributes:
        caption: the best one.
        log_prob: its log probability.
        words: its words.
        others: further captions that the decoder found, best first, with theirs.
        seconds: from when it was asked for.
    """

    caption: str
    log_prob: float
    words: tuple[Word, ...]
    others: tuple[tuple[str, float], ...]
    seconds: float


@attrs.define(eq=False)
class Job:
    """A caption to be written.

    Attributes:
        served: the model.
        decoder: how it chooses words.
        prepared: the photo, as the model's encoder has prepared it.
        tell: called with each word; None if nobody listens.
        told: words that it was called with.
        begun: when it was asked for, by `time.monotonic`.
        said: what comes of it.
    """

    served: Served
    decoder: Decoder
    prepared: Prepared
    tell: Told | None = None
    told: int = 0
    begun: float = attrs.field(factory=time.monotonic)
    said: Future[Said] = attrs.field(factory=Future)

    @property
    def key(self) -> tuple[str, str]:
        """Equal for jobs that can be done together."""
        return self.served.name, label(self.decoder)

    def hear(self, word: Word) -> None:
        """Pass a word on."""
        self.told += 1
        if self.tell is not None:
            self.tell(word)


class Desk:
    """Writes captions, on one thread, as `rnnkit caption` writes that of each photo alone.

    Decoders that draw words are given one photo at a time, for what they draw depends on what they are given. Which
    ones draw shows by what they have done to the generator of random numbers; so the first call of each is for one
    photo, too.
    """

    def __init__(self) -> None:
        self._lane = Lane("rnnkit captions")
        self._waiting: deque[Job] = deque()
        self._lock = threading.Lock()
        self._draws: dict[type[Decoder], bool] = {}

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have captions written."""
        with self._lock:
            self._waiting.extend(jobs)
        for (
            _
        ) in jobs:  # one that was done together with others finds nothing left, or what came since
            self._lane.submit(self._write_next)

    @property
    def waiting(self) -> int:
        """Captions that nobody has begun to write."""
        return len(self._waiting)

    def close(self) -> None:
        """Let the thread end."""
        self._lane.close()

    def _write_next(self) -> None:
        jobs = [job for job in self._take() if job.said.set_running_or_notify_cancel()]
        if jobs:
            self._do(jobs)

    def _take(self) -> list[Job]:
        """The one that has waited for longest, and others that can be done together with it."""
        with self._lock:
            if not self._waiting:
                return []
            first, left, taken = self._waiting[0], deque[Job](), list[Job]()
            most = self._at_once(first.decoder)
            for job in self._waiting:
                (taken if len(taken) < most and job.key == first.key else left).append(job)
            self._waiting = left
            return taken

    def _at_once(self, decoder: Decoder) -> int:
        if self._draws.get(type(decoder), True):
            return 1
        options = [getattr(decoder, name) for name in option_types(type(decoder))]
        widest = max((n for n in options if type(n) is int), default=1)
        return min(BATCH, max(1, ROWS // max(1, widest)))

    def _do(self, jobs: Sequence[Job]) -> None:
        try:
            said, drew = _write(jobs)
        except BaseException as error:  # a plugin's, too, which would end the program
            if len(jobs) == 1:
                own = isinstance(error, Exception)
                jobs[0].said.set_exception(
                    error if own else PluginFault(culprit(error) or told(error))
                )
                return
            said, drew = [], True
        else:
            kind = type(jobs[0].decoder)
            self._draws[kind] = drew or self._draws.get(kind, False)
        if drew and len(jobs) > 1:  # or one of them fails, which is nothing to the others
            for job in jobs:
                self._do([job])
            return
        for job, one in zip(jobs, said, strict=True):
            job.said.set_result(one)


def _write(jobs: Sequence[Job]) -> tuple[list[Said], bool]:
    """What is said of each photo, and whether it was drawn."""
    served, decoder = jobs[0].served, jobs[0].decoder
    features = served.features([job.prepared for job in jobs])
    model = served.model.afresh()
    writer = Telling(model, [None if job.tell is None else job.hear for job in jobs])
    rng = np.random.default_rng([model.spec.model.seed, DRAWING, 0])
    before = rng.bit_generator.state
    listening = any(job.tell is not None for job in jobs)
    decoded = (writer if listening else model).decode(features, decoder, rng)
    drew = rng.bit_generator.state != before
    found = []
    words = words_of(model, features, decoded.tokens[:, 0])
    for job, (caption, log_prob, others), each in zip(
        jobs, in_words(decoded, model.vocabulary), words, strict=True
    ):
        if not drew or len(jobs) == 1:
            for word in each[job.told :]:
                job.hear(word)
        seconds = time.monotonic() - job.begun
        found.append(Said(caption, log_prob, tuple(each), tuple(others), seconds))
    return found, drew
