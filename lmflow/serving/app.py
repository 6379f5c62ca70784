"""The HTTP API and its page. Every error is JSON with the thing that is wrong and what to do about it."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lmflow import __version__
from lmflow.serving.champions import EMBEDDINGS, LANGUAGE_MODEL, Champions, Loaded
from lmflow.settings import settings

_STATIC: Final = Path(__file__).with_name("static")
_PAGES: Final = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js", "/icon.svg": "icon.svg"}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
#: Below this a temperature is as good as 0, and powers of its inverse overflow.
_COLDEST: Final = 0.05


class Prompt(BaseModel):
    """What to write, and how."""

    model_config = ConfigDict(extra="forbid")

    lang: str = Field(pattern=r"^[a-z-]{2,20}$", examples=["en"])
    prompt: str = Field("", max_length=2000, examples=["The president said"])
    max_tokens: int = Field(60, ge=1, le=500)
    temperature: float = Field(0.8, ge=0, le=2)
    seed: int | None = Field(None, ge=0, le=2**31 - 1)


class Refused(Exception):
    """A question that cannot be answered: HTTP status, what is wrong, what to do."""

    def __init__(self, status: int, error: str, remedy: str) -> None:
        super().__init__(error)
        self.status, self.error, self.remedy = status, error, remedy


def make_app(champions: Champions, host: str) -> FastAPI:
    """The application over a set of champions, which it starts and closes.

    Args:
        champions: what it serves.
        host: address it listens on; requests for other host names are refused, so that a foreign site cannot use it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        champions.start()
        yield
        champions.close()

    app = FastAPI(title="lmflow", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    allowed = ["*"] if host in ("0.0.0.0", "::") else [host, "127.0.0.1", "localhost"]  # noqa: S104 - compared, not bound
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=allowed)
    _answer_errors_in_json(app)

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "version": __version__,
            "serving": {each.version.name: each.version.version for each in champions.all()},
            "problems": dict(champions.problems),
        }

    @app.get("/models")
    def models() -> dict[str, Any]:
        return {
            "languages": champions.languages,
            "models": [each.facts() for each in champions.all()],
            "problems": dict(champions.problems),
            "mlflow": settings().mlflow_uri,
        }

    @app.post("/generate")
    def generate(asked: Prompt) -> dict[str, Any]:
        champion = _champion(champions, LANGUAGE_MODEL, asked.lang)
        seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
        params = {
            "task": "generate",
            "max_tokens": asked.max_tokens,
            "temperature": asked.temperature if asked.temperature >= _COLDEST else 0.0,
            "seed": seed,
        }
        started = time.perf_counter()
        # A limit in tokens may cut a character of several bytes in half; its mark of loss is no text.
        written = str(champion.predict([{"prompt": asked.prompt}], params)[0]).rstrip("\ufffd")
        seconds = round(time.perf_counter() - started, 3)
        return {"text": written, "prompt": asked.prompt, "seed": seed, "seconds": seconds, **_signed(champion)}

    @app.get("/similar")
    def similar(
        lang: Annotated[str, Query(pattern=r"^[a-z-]{2,20}$")],
        word: Annotated[str, Query(min_length=1, max_length=100)],
        topn: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> dict[str, Any]:
        champion = _champion(champions, EMBEDDINGS, lang)
        answer = champion.predict([{"task": "most_similar", "word": word}], {"topn": topn})[0]
        if isinstance(answer, dict):
            raise Refused(404, str(answer["error"]), "try a more frequent word")
        return {"word": word, "similar": answer, **_signed(champion)}

    for path, name in _PAGES.items():
        app.add_api_route(path, _file(name), include_in_schema=False)
    return app


def _file(name: str) -> Any:
    def send() -> FileResponse:
        return FileResponse(_STATIC / name, headers=_HEADERS)

    return send


def _signed(champion: Loaded) -> dict[str, Any]:
    """Who answered."""
    return {"model": champion.version.name, "version": champion.version.version, "lang": champion.facts()["lang"]}


def _champion(champions: Champions, kind: str, lang: str) -> Loaded:
    found = champions.get(kind, lang)
    if found is not None:
        return found
    if lang not in champions.languages:
        remedy = f"choose one of: {', '.join(champions.languages)}"
        raise Refused(404, f"there is no language {lang!r} here", remedy)
    name = f"{kind}-{lang}"
    problem = champions.problems.get(name) or champions.problems.get("registry")
    if problem:
        raise Refused(503, f"{name} is not loaded: {problem}", "see /health; it is tried again every few seconds")
    remedy = f"run the retrain DAG (`make demo`), or `python -m jobs.promote_model --model {name}`"
    raise Refused(503, f"{name} has no champion yet", remedy)


def _answer_errors_in_json(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": error.error, "remedy": error.remedy}, error.status)

    @app.exception_handler(StarletteHTTPException)
    async def unknown(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail, "remedy": "see /openapi.json"}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return JSONResponse({"error": f"{where}: {first['msg']}", "remedy": "see /openapi.json"}, 422)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        said = {"error": f"the model failed: {type(error).__name__}: {error}", "remedy": "see the log of model-page"}
        return JSONResponse(said, 500)
