"""What all JSON forms share: strictness, and how core types are written.

Energy is Wh, a price micro-token per kWh, money nano-token (10^9 = 1 EUR), all integers; instants are ISO 8601
in UTC; bytes are hexadecimal with 0x.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

U8 = Annotated[int, Field(ge=0, le=2**8 - 1)]
U32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
U64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
I32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$", examples=["0x" + "5a" * 32])]
Signature = Annotated[str, Field(pattern=r"^0x[0-9a-f]{128}$", description="64 bytes, EIP-2098")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=["0x" + "11" * 20])]
RawTransaction = Annotated[str, Field(pattern=r"^0x([0-9a-f]{2})+$", max_length=262_146)]


class Form(BaseModel):
    """A frozen JSON object: exact types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def instant(seconds: int) -> datetime:
    """Unix time as an aware instant."""
    return datetime.fromtimestamp(seconds, UTC)


def to_hex(data: bytes) -> str:
    """Bytes as JSON has them."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """The bytes that ``to_hex`` wrote."""
    return bytes.fromhex(text[2:])
