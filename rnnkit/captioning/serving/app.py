"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rnnkit.captioning.serving import page
from rnnkit.captioning.serving.about import about
from rnnkit.captioning.serving.answers import Json
from rnnkit.captioning.serving.bodies import Body
from rnnkit.captioning.serving.guard import Guard
from rnnkit.captioning.serving.limits import Limits, Room
from rnnkit.captioning.serving.models import Served
from rnnkit.captioning.serving.openapi import description
from rnnkit.captioning.serving.questions import Question, read_question
from rnnkit.captioning.serving.studio import Studio, mistake
from rnnkit.data.looking.pictures import load_picture
from rnnkit.describing.report.pictures import small_copy

LOCAL = ("127.0.0.1", "localhost", "::1")
"""What this machine calls itself."""

EVENTS = "text/event-stream"


def application(
    models: Sequence[Served],
    limits: Limits | None = None,
    hosts: Collection[str] = LOCAL,
) -> Starlette:
    """The page and its interface for programs, for any server that speaks ASGI.

    Args:
        models: of `open_models`, one at least.
        limits: what it takes at most.
        hosts: names and addresses that it is asked by; requests to others are refused, so that no page of another
            host can use it through a browser.
    """
    limits = limits or Limits()
    house = _House({served.name: served for served in models}, limits, about(models, limits))
    routes = [
        Route("/", house.page, methods=["GET"]),
        Route("/", _Captions(house, as_page=True), methods=["POST"]),
        Route("/caption", _Captions(house, as_page=False), methods=["POST"]),
        Route("/model", house.model),
        Route("/health", house.health),
        Route("/openapi.json", house.openapi),
        Route("/page/{name}", house.part),
        Route("/samples/{model}/{number:int}", house.sample),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, limits=limits, hosts=hosts)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
        lifespan=house.lifespan,
    )


@attrs.define(eq=False)
class _House:
    """What the routes lead to."""

    models: Mapping[str, Served]
    limits: Limits
    about: Json
    room: Room = attrs.field(init=False)
    studio: Studio = attrs.field(init=False)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.room, self.studio = Room(self.limits), Studio()
        try:
            yield
        finally:
            self.studio.close()

    async def page(self, _: Request) -> Response:
        return page.show(self.about)

    async def part(self, request: Request) -> Response:
        found = page.part(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "there is nothing of this name")
        return found

    async def model(self, _: Request) -> Response:
        return JSONResponse(self.about)

    async def health(self, _: Request) -> Response:
        waiting = self.studio.desk.waiting
        return JSONResponse({"status": "ok", "models": list(self.models), "waiting": waiting})

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(description())

    async def sample(self, request: Request) -> Response:
        served = self.models.get(request.path_params["model"])
        number: int = request.path_params["number"]
        if served is None or number >= len(served.samples):
            raise HTTPException(404, "there is no such sample")
        place = str(served.samples[number])
        copy = await self.studio.do(lambda: small_copy(load_picture(place), page.SIDE))
        return Response(copy.file, media_type=copy.type)


@attrs.frozen(eq=False)
class _Captions:
    """Reads a question and answers it: as JSON or as events; or as a page, where a form was sent without JavaScript."""

    house: _House
    as_page: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, room = Request(scope, receive), self.house.room
        with Body(request, room) as body:
            try:
                question = await read_question(request, body, self.house.models)
                with room.request():
                    response = await self._answer(request, question)
                    await response(scope, receive, send)
            except ClientDisconnect:
                return
            except HTTPException as error:
                await body.rest()
                await self._refusal(request, error)(scope, receive, send)

    async def _answer(self, request: Request, question: Question) -> Response:
        studio = self.house.studio
        if self.as_page:
            opened = await studio.open(question, page.data_address)
            answer = await studio.answer(question, opened)
            return page.show(self.house.about, answer, opened.seen)
        opened = await studio.open(question)
        if EVENTS in request.headers.get("accept", ""):
            return StreamingResponse(studio.events(question, opened), media_type=EVENTS)
        return JSONResponse(await studio.answer(question, opened))

    def _refusal(self, request: Request, error: HTTPException) -> Response:
        if self.as_page:
            return page.show(self.house.about, error=error.detail, status=error.status_code)
        return _refused(request, error)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _failed(request: Request, error: Exception) -> Response:
    return _refused(request, mistake(error))
