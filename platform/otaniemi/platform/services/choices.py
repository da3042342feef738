"""What can be known about a signed choice of a package before it is relayed. The chain has the last word."""

from __future__ import annotations

from otaniemi.contracts.rules.calendar import Rules, day_at, tariff_deadline
from otaniemi.contracts.rules.price_packages import MAX_AHEAD, PackageBook, PackageChoice
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.services.admission import RefusedError, check_binding
from otaniemi.platform.store.members import Member


def check_choice(
    choice: PackageChoice,
    signature: bytes,
    book: PackageBook,
    member: Member,
    rules: Rules,
    domain: Domain,
    now: int,
) -> None:
    """Refuse a choice that ``PricePackages`` would refuse.

    Parameters
    ----------
    signature : bytes
        64 bytes, EIP-2098.
    book : PackageBook
        As it stands on the chain.
    member : Member
        Of the choice's account.
    domain : Domain
        Of ``PricePackages``.
    now : int
        Unix time.

    Raises
    ------
    RefusedError
        The first field that is in the way.
    """
    check_binding(choice.digest(domain), signature, member)
    if choice.valid_to < now:
        raise RefusedError("valid_to", choice.valid_to, f"{now} or later")
    today, side = day_at(rules, now), (choice.account, choice.product, choice.feed_in)
    latest, since = book.latest(*side)
    if since > today:
        raise RefusedError(
            "from_day", choice.from_day, f"a choice made on day {since} or later, when the last one counts"
        )
    if choice.package == latest:
        raise RefusedError("package", choice.package, "another than the home has")
    if choice.package:
        _check_package(choice, book, member)
    earliest = book.earliest(*side, choice.package, today)
    while now >= tariff_deadline(rules, earliest):
        earliest += 1
    last = today + MAX_AHEAD
    if choice.package:
        last = min(last, book.packages[choice.package].terms.last_day)
    if not earliest <= choice.from_day <= last:
        raise RefusedError("from_day", choice.from_day, f"{earliest} .. {last}")
    if choice.package and not book.places_left(choice.package, choice.from_day):
        raise RefusedError("package", choice.package, f"one with a place left on day {choice.from_day}")


def _check_package(choice: PackageChoice, book: PackageBook, member: Member) -> None:
    package = book.packages.get(choice.package)
    offered = [
        number
        for number, one in book.packages.items()
        if (one.terms.community, one.terms.product, one.terms.feed_in)
        == (member.community, choice.product, choice.feed_in)
        and number not in book.withdrawn
    ]
    if package is None or choice.package not in offered:
        direction = "feed-in" if choice.feed_in else "import"
        valid = ", ".join(map(str, offered)) or "none, as none is offered"
        raise RefusedError("package", choice.package, f"one that is offered for {direction}: {valid}")
    if choice.product not in member.meters:
        raise RefusedError("account", choice.account, "one with an approved meter")
