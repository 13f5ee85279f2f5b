"""The web server of the review page, for the browser of one person on the same machine.

Any page that is open in the browser can send requests to the loopback interface, and any process on the machine can
connect to it. Every request therefore needs a token, which is new for each start of the server. The Host header must be
the server's own address, which prevents DNS rebinding. The page loads no resources from other servers.
"""

import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel, Field

from evaluation.figures import display_name
from evaluation.pages import DIRECTORY, data_uri, load_template
from evaluation.review.answers import NEITHER, AnswerExistsError, allowed_labels
from evaluation.review.queue import Queue, Shown

HOST = "127.0.0.1"
SECONDS_TO_END = 2  # how long requests that are running at Ctrl-C may continue
ASSETS = {"/theme.css": "theme.css", "/review.css": "review/review.css", "/review.js": "review/review.js"}
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",  # the images are personal data
}
Next = Callable[[Request], Awaitable[Response]]


class Held(BaseModel):
    """The keys of the entries that the page already has."""

    held: list[str] = []


class Given(BaseModel):
    """An answer that the page sends."""

    entry: str
    label: str
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Address:
    """A free port of the loopback interface, and the token that requests to this port need."""

    def __init__(self) -> None:
        self.socket = socket.create_server((HOST, 0))
        self.port: int = self.socket.getsockname()[1]
        self.token = secrets.token_urlsafe(32)
        self.hosts = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        # the name contains the port, because all ports of a host share their cookies
        self.cookie = f"review-{self.port}"

    @property
    def url(self) -> str:
        """The page's URL, which contains the token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    def refusal(self, request: Request) -> str | None:
        """Return the reason why a request is refused, or None if the request is allowed."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self.hosts:
            return "the request is addressed to another host"
        if origin is not None and origin != f"http://{host}":
            return "the request comes from another origin"
        given = request.query_params.get("token") if request.url.path == "/" else None
        given = given or request.cookies.get(self.cookie, "")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return "open the address that `make review` has printed: each start has a new address"
        return None


def create_app(queue: Queue, address: Address, *, classes: Sequence[str], environment: str) -> FastAPI:
    """Return the application that shows the images of a queue and stores the answers.

    Parameters
    ----------
    classes : names of the classes
    environment : name of the environment
    """
    app = FastAPI(openapi_url=None)  # without FastAPI's documentation pages, which load scripts from other servers
    page = load_template("review/review.html", display_name=display_name)
    assets = {path: (DIRECTORY / name).read_bytes() for path, name in ASSETS.items()}
    # the keys of a class are the digits of its number with leading zeros: with 12 classes, the third class is 03
    digits = len(str(len(classes)))
    labels = allowed_labels(classes)

    @app.middleware("http")
    async def guard(request: Request, call: Next) -> Response:
        refused = address.refusal(request)
        response = PlainTextResponse(refused, 403) if refused else await call(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(BotoCoreError)
    @app.exception_handler(ClientError)
    def report(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": " ".join(str(error).split())}, 502)

    @app.exception_handler(RequestValidationError)
    def refuse(_: Request, error: Exception) -> Response:  # FastAPI's own response repeats the input, which may be NaN
        return JSONResponse({"message": "the request is invalid"}, 422)

    @app.get("/")
    def show_page(token: str = "") -> Response:
        if token:  # redirect, so that the token is neither in the address bar nor in the browser's history
            response: Response = RedirectResponse("/", 303)
            response.set_cookie(address.cookie, address.token, httponly=True, samesite="strict")
            return response
        queue.reload()
        return HTMLResponse(
            page.render(
                environment=environment,
                reviewer=queue.reviewer,
                neither=NEITHER,
                classes=[(f"{number:0{digits}}", name) for number, name in enumerate(classes, start=1)],
            )
        )

    @app.get("/theme.css")
    @app.get("/review.css")
    @app.get("/review.js")
    def show_asset(request: Request) -> Response:
        path = request.url.path
        return Response(assets[path], media_type=MEDIA_TYPES[path.rpartition(".")[2]])

    @app.post("/next")
    def get_next(content: Held) -> dict[str, Any]:
        return describe(queue, queue.next(content.held))

    @app.post("/answers", status_code=201)
    def give_answer(content: Given) -> Any:
        if content.label not in labels:
            return JSONResponse({"message": f"label must be one of {', '.join(labels)} (got {content.label!r})"}, 422)
        try:
            entry = queue.answer(content.entry, content.label, round(content.seconds, 1))
        except KeyError:
            return JSONResponse({"message": "this image was not shown"}, 422)
        except AnswerExistsError as error:
            return JSONResponse({"message": str(error), **describe(queue)}, 409)
        return {"reasons": entry.reasons, "prediction": entry.prediction, **describe(queue)}

    @app.post("/undo")
    def undo() -> dict[str, Any]:
        return describe(queue, queue.undo())

    return app


def describe(queue: Queue, shown: Shown | None = None) -> dict[str, Any]:
    """Return the entry and the progress that the page shows, without the model's prediction."""
    progress = queue.progress
    return {
        "entry": shown and {"key": shown.entry.key, "image": data_uri(shown.picture, "image/jpeg")},
        "answered": progress.answered,
        "total": progress.total,
        "hidden": progress.hidden,
        "counted": progress.is_complete,
    }


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return the server, whose method `run` answers requests until the process is interrupted."""
    return uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", lifespan="off", server_header=False, timeout_graceful_shutdown=SECONDS_TO_END
        )
    )
