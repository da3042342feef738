"""What the routes of all forms share: their router, and numbers in paths and queries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from otaniemi.platform.api.views import ProblemView

AccountNumber = Annotated[int, Path(ge=1, le=2**32 - 1, description="account")]
Number = Annotated[int, Path(ge=0, le=2**32 - 1)]
AddressText = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$")]
Day = Annotated[
    int | None, Query(ge=0, le=49_710, description="trading day, days since 1970; today when left out")
]
Product = Annotated[int, Query(ge=0, le=2, description="0 electricity, 1 heat, 2 cooling")]
Count = Annotated[int, Query(ge=1, le=1_000)]


def router_for(tag: str) -> APIRouter:
    """An empty router for one kind of request; refusals are described as problems."""
    problem: dict[str, Any] = {"model": ProblemView, "description": "Refused, with the reason"}
    return APIRouter(prefix="/v1", tags=[tag], responses={"4XX": problem})
