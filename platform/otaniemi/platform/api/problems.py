"""The one place where errors become answers: problem JSON (RFC 9457) with field, value and what is valid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.rules.errors import FieldError, RulesError
from otaniemi.oracles.errors import OracleError
from otaniemi.platform.api.services import NoDevnetError, NotFoundError, RefusedError
from otaniemi.platform.api.views import ProblemView
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.store.intake import NumberTakenError

MEDIA_TYPE = "application/problem+json"

Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with problem JSON."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


_STATUS: dict[type[Exception], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    NoDevnetError: HTTPStatus.FORBIDDEN,
    NumberTakenError: HTTPStatus.CONFLICT,
    OracleError: HTTPStatus.CONFLICT,
    RefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    RulesError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ChainError: HTTPStatus.UNPROCESSABLE_ENTITY,
    OtaniemiError: HTTPStatus.BAD_REQUEST,
}


def _handler(status: HTTPStatus) -> Handler:
    async def answer(_request: Request, error: Exception) -> JSONResponse:
        field = value = valid = None
        if isinstance(error, RefusedError | FieldError):
            field, value, valid = error.field, str(error.value), error.valid
        elif isinstance(error, NumberTakenError):
            field, value, valid = error.field, str(error.number), "an unused number"
        return _problem(status, str(error), field, value, valid)

    return answer


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The first part names the place (body, query, path); a union adds the kind of form that was tried.
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    value, valid = str(first.get("input"))[:200], str(first["msg"])
    detail = f"{field} is {value}; {valid}"
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field, value, valid)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(HTTPStatus(error.status_code), str(error.detail))


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; the log says what")


def _problem(
    status: HTTPStatus,
    detail: str,
    field: str | None = None,
    value: str | None = None,
    valid: str | None = None,
) -> JSONResponse:
    problem = ProblemView(
        title=status.phrase, status=status, detail=detail, field=field, value=value, valid=valid
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE)
