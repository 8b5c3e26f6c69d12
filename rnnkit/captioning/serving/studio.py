"""From a question to what the models say: photos are opened on one thread, and captions written on another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
from starlette.exceptions import HTTPException

from rnnkit.captioning.serving.answers import Json, event, of_caption, of_word, picture
from rnnkit.captioning.serving.desk import Desk, Job
from rnnkit.captioning.serving.lane import Lane
from rnnkit.captioning.serving.questions import Question
from rnnkit.captioning.serving.words import Word
from rnnkit.data.photos import opening
from rnnkit.errors import PluginFault, RnnkitError, told
from rnnkit.kinds import Picture, Prepared
from rnnkit.system.terminal import say

T = TypeVar("T")

LARGE: Final = 24_000_000
"""Pixels; photos of more of them wait for each other, and nobody else waits for them."""

LARGE_FILE: Final = 8 << 20
"""Bytes; the same."""


@attrs.frozen(eq=False)
class Opened:
    """A photo that could be opened.

    Attributes:
        width, height: of it, upright.
        prepared: by the encoder of each model that is asked.
        seen: what came of looking at its pixels.
    """

    width: int
    height: int
    prepared: tuple[Prepared, ...]
    seen: str


class Studio:
    """Three threads: one writes captions, one opens photos, and one opens those that take seconds and much memory."""

    def __init__(self) -> None:
        self.desk = Desk()
        self._opening = Lane("rnnkit photos")
        self._large = Lane("rnnkit large photos")

    def close(self) -> None:
        """Let the threads end."""
        self._opening.close()
        self._large.close()
        self.desk.close()

    async def do(self, work: Callable[[], T]) -> T:
        """Have something done that needs the pixels of a photo."""
        return await _result(self._opening.submit(work))

    async def open(
        self, question: Question, look: Callable[[Picture], str] = lambda picture: ""
    ) -> Opened:
        """Open the photo of a question, and call `look` with its pixels.

        Raises:
            HTTPException: it cannot be opened.
        """

        def opened() -> Opened:
            picture = opening.open_photo(question.photo, question.name)
            encoders = [served.pipeline.encoder for served, _ in question.models]
            prepared = tuple(encoder.prepare(picture) for encoder in encoders)
            height, width, _ = picture.shape
            return Opened(width, height, prepared, look(picture))

        large = await self.do(partial(_is_large, question.photo))
        return await _result((self._large if large else self._opening).submit(opened))

    async def answer(self, question: Question, opened: Opened) -> Json:
        """What the models say, when all have said it.

        Raises:
            HTTPException: one could not.
        """
        jobs = _jobs(question, opened)
        self.desk.submit(jobs)
        await asyncio.gather(*(_result(job.said) for job in jobs))
        captions = [_caption(job, question) for job in jobs]
        return {"captions": captions, **picture(opened.width, opened.height)}

    async def events(self, question: Question, opened: Opened) -> AsyncGenerator[bytes, None]:
        """The same as server-sent events: each word, then the caption, of each model; at last `done`, with the picture."""
        loop, said = asyncio.get_running_loop(), asyncio.Queue[tuple[Job, Word | None]]()

        def hear(job: Job, word: Word | None) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(said.put_nowait, (job, word))

        jobs = _jobs(question, opened)
        for job in jobs:
            job.tell = partial(hear, job)
            job.said.add_done_callback(lambda _, job=job: hear(job, None))  # type: ignore[misc]
        self.desk.submit(jobs)
        left = len(jobs)
        try:
            while left:
                job, word = await said.get()
                if word is not None:
                    yield event("word", {"model": job.served.name, **of_word(word)})
                    continue
                left -= 1
                try:
                    await _result(job.said)
                except HTTPException as error:
                    yield event("error", {"model": job.served.name, "error": error.detail})
                else:
                    yield event("caption", _caption(job, question))
            yield event("done", picture(opened.width, opened.height))
        finally:
            for job in jobs:
                job.said.cancel()


def _is_large(photo: bytes | Path) -> bool:
    size = len(photo) if isinstance(photo, bytes) else photo.stat().st_size
    return size > LARGE_FILE or opening.declared_pixels(photo) > LARGE


def _jobs(question: Question, opened: Opened) -> list[Job]:
    return [
        Job(served, decoder, prepared)
        for (served, decoder), prepared in zip(question.models, opened.prepared, strict=True)
    ]


def _caption(job: Job, question: Question) -> Json:
    return of_caption(job.served, job.decoder, job.said.result(), question.n_best)


def mistake(error: Exception) -> HTTPException:
    """The answer to what is nobody's fault who asks; whoever runs the server is told where it comes from."""
    say(told(error), err=True)
    return HTTPException(500, f"the server made a mistake: {type(error).__name__}")


async def _result(future: Future[T]) -> T:
    """What came of it; as an HTTPException if an error did."""
    try:
        return await asyncio.wrap_future(future)
    except PluginFault as error:
        raise mistake(error) from error
    except RnnkitError as error:
        raise HTTPException(400, str(error)) from error
    except MemoryError as error:
        raise HTTPException(503, "there is not enough memory for this photo now") from error
    except Exception as error:
        raise mistake(error) from error
    finally:
        del future  # which has the error, whose traceback has this frame, and a photo
