"""Who takes part: accounts as the chain has them, with the names that people gave them.

An account's row is kept for every block that changed it, so that a block can be forgotten and leave what was
before. Names are private and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.platform.store.database import insert
from otaniemi.platform.store.schema import members, names


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a community; addresses are checksummed, ``meters`` the 32-byte ids of its meters by product.

    ``limits`` are those of the device key, None where there are none.
    """

    account: int
    community: int
    owner: str
    device: str
    meters: Mapping[int, bytes]
    name: str
    limits: DeviceLimits | None = None

    def limits_for(self, key: str) -> DeviceLimits | None:
        """What limits ``key``; nothing limits the owner's."""
        return None if key == self.owner else self.limits


def register(transaction: Connection, account: int, community: int, owner: str, block: int) -> None:
    """Enter an account that ``block`` opened, whose owner orders for it and which has no meter yet."""
    _enter(
        transaction,
        {
            "account": account,
            "community": community,
            "owner": owner,
            "device": owner,
            "limits": None,
            "meters": {},
        },
        block,
    )


def rotate_device(transaction: Connection, account: int, device: str, block: int) -> None:
    """Note the new device key of ``account`` that ``block`` brought; what limited the old one is past."""
    _change(transaction, account, {"device": device, "limits": None}, block)


def limit_device(transaction: Connection, account: int, limits: DeviceLimits, block: int) -> None:
    """Note what limits the device key of ``account`` from ``block`` on."""
    _change(transaction, account, {"limits": list(astuple(limits))}, block)


def hand_over(transaction: Connection, account: int, owner: str, block: int) -> None:
    """Note the new owner of ``account`` that ``block`` brought."""
    _change(transaction, account, {"owner": owner}, block)


def approve_meter(transaction: Connection, account: int, product: int, meter: bytes, block: int) -> None:
    """Note the meter of ``account`` for a product that ``block`` brought."""
    member = get(transaction, account)
    if member is not None:
        meters = {**member.meters, product: meter}
        texts = {str(product): meter.hex() for product, meter in meters.items()}
        _change(transaction, account, {"meters": texts}, block)


def rename(transaction: Connection, account: int, name: str) -> None:
    """Note what people call the holder of ``account``."""
    statement = insert(names).values(account=account, name=name)
    transaction.execute(statement.on_conflict_do_update(index_elements=["account"], set_={"name": name}))


def get(transaction: Connection, account: int) -> Member | None:
    """The member with this account; None when there is none."""
    found = _members(transaction, members.c.account == account)
    return found[0] if found else None


def of_community(transaction: Connection, community: int) -> list[Member]:
    """Every member of ``community``, accounts ascending."""
    return _members(transaction, members.c.community == community)


def of_owner(transaction: Connection, owner: str) -> list[Member]:
    """Every account of an owner's address, ascending."""
    return _members(transaction, members.c.owner == owner)


_later = members.alias()
_NEWEST = members.c.block == (
    select(func.max(_later.c.block)).where(_later.c.account == members.c.account).scalar_subquery()
)
_KEPT = tuple(members.c[name] for name in ("account", "community", "owner", "device", "limits", "meters"))
_MEMBERS = (
    select(*_KEPT, names.c.name)
    .outerjoin(names, names.c.account == members.c.account)
    .where(_NEWEST)
    .order_by(members.c.account)
)


def _members(transaction: Connection, condition: ColumnElement[bool]) -> list[Member]:
    return [
        Member(
            row.account,
            row.community,
            row.owner,
            row.device,
            {int(product): bytes.fromhex(meter) for product, meter in row.meters.items()},
            row.name or f"account {row.account}",
            row.limits and DeviceLimits(*row.limits),
        )
        for row in transaction.execute(_MEMBERS.where(condition))
    ]


def _change(transaction: Connection, account: int, changed: dict[str, Any], block: int) -> None:
    row = transaction.execute(select(*_KEPT).where(members.c.account == account, _NEWEST)).first()
    if row is not None:
        _enter(transaction, {**row._mapping, **changed}, block)


def _enter(transaction: Connection, row: dict[str, Any], block: int) -> None:
    statement = insert(members).values(**row, block=block)
    transaction.execute(statement.on_conflict_do_update(index_elements=["account", "block"], set_=row))
