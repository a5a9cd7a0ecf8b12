"""Answers by FastAPI with pydantic, as such a route is usually written by hand in Python.

It is served by uvicorn as fast as it can be: on uvloop, with httptools, without a log.
"""

from datetime import datetime
from typing import Final

from fastapi import FastAPI
from pydantic import BaseModel

from tests.bench.callers import CONSTANT_JSON, REST_PREFIX


class Details(BaseModel):
    sequence: str
    creationDate: datetime  # noqa: N815  as the JSON has it
    changeDate: datetime  # noqa: N815
    resourceOwner: str  # noqa: N815


class ReactivateResponse(BaseModel):
    details: Details


class ReactivateRequest(BaseModel):
    pass


_ANSWER: Final[ReactivateResponse] = ReactivateResponse.model_validate_json(CONSTANT_JSON)


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post(f"{REST_PREFIX}/actions/{{action_id}}/_reactivate")
    async def reactivate(action_id: str, request: ReactivateRequest) -> ReactivateResponse:
        return _ANSWER

    return app
