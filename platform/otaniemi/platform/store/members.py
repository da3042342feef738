"""Who takes part: accounts as the chain registered them, with the names that people gave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update

from otaniemi.platform.store.database import insert
from otaniemi.platform.store.schema import members


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a community; addresses are checksummed, ``meter`` is the meter's 32-byte id."""

    account: int
    community: int
    owner: str
    device: str
    meter: bytes
    name: str


def save(transaction: Connection, registered: Iterable[Member], block: int) -> None:
    """Enter members that were registered in ``block``; those known already are brought up to date."""
    rows = [asdict(member) | {"block": block} for member in registered]
    if rows:
        statement = insert(members)
        changed = {name: statement.excluded[name] for name in ("owner", "device", "meter", "name")}
        transaction.execute(statement.on_conflict_do_update(index_elements=["account"], set_=changed), rows)


def rotate_device(transaction: Connection, account: int, device: str) -> None:
    """Note the new device key of ``account``."""
    transaction.execute(update(members).where(members.c.account == account).values(device=device))


def rename(transaction: Connection, account: int, name: str) -> None:
    """Note what people call the holder of ``account``."""
    transaction.execute(update(members).where(members.c.account == account).values(name=name))


def get(transaction: Connection, account: int) -> Member | None:
    """The member with this account; None when there is none."""
    row = transaction.execute(select(*_COLUMNS).where(members.c.account == account)).first()
    return Member(*row) if row else None


def of_community(transaction: Connection, community: int) -> list[Member]:
    """Every member of ``community``, accounts ascending."""
    query = select(*_COLUMNS).where(members.c.community == community).order_by(members.c.account)
    return [Member(*row) for row in transaction.execute(query)]


def of_owner(transaction: Connection, owner: str) -> list[Member]:
    """Every account of an owner's address, ascending."""
    query = select(*_COLUMNS).where(members.c.owner == owner).order_by(members.c.account)
    return [Member(*row) for row in transaction.execute(query)]


_COLUMNS = tuple(members.c[name] for name in Member.__dataclass_fields__)
