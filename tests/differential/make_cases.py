"""Write the cases that hold Solidity and Python to the same bits: ``python tests/differential/make_cases.py``.

Every number is what ``otaniemi.contracts.rules`` computes from inputs drawn with a fixed seed; bytes are 0x-prefixed
hexadecimal, wide integers are decimal strings so that no JSON reader rounds them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from otaniemi.contracts.rules import signing
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day
from otaniemi.contracts.rules.calendar import Rules, Session, first_slot
from otaniemi.contracts.rules.clearing import clear, fill_leaves, fill_root
from otaniemi.contracts.rules.merkle import levels_of, proof_of
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import MeterLeaf, meter_proof, meter_report
from otaniemi.contracts.rules.orders import (
    EMPTY_HEAD,
    RECORD_BYTES,
    Book,
    Market,
    Order,
    ProfileOrder,
    Step,
    chain_head,
)
from otaniemi.contracts.rules.positions import Agreement, Position, chain_of
from otaniemi.contracts.rules.schedules import Nomination, batch_root
from otaniemi.contracts.rules.tariffs import TariffReport

FOLDER = Path(__file__).parent / "cases"
SEED = 7
DAY = 20_000
COMMUNITY = 1
BAND = 4_000_000
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
RULES = Rules(
    slot_seconds=3_600, utc_offset=7_200, products=1, price_min=-BAND, price_max=BAND, grid_fee=20_000,
    platform_fee=1_000, short_cap=2_000_000, connection_limit_wh=20_000, retailer=1, grid_operator=2, platform=3,
    nomination_batch_lead=480, nomination_direct_lead=300, meter_window=7_200, bill_delay=21_600, bill_window=86_400,
    deviation_limit=500_000, challenge_window=7_200,
    bond=10**9, reporters=("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20), quorum=2,
    sessions=(Session(False, -39_600, -39_000), Session(True, -1_200, -900)),
)  # fmt: skip


def book_cases(draw: random.Random) -> list[dict[str, Any]]:
    """Markets of every kind: crossing, not crossing, one-sided, negative, at the band, with ties."""
    kinds = [
        [(True, 200, 500), (False, 100, 800)],
        [(True, 90, 500), (False, 110, 500)],
        [(True, 50, 10)],
        [(False, 50, 10)],
        [(True, -1, 500), (False, -4, 500)],
        [(True, -BAND, 5), (False, -BAND, 7)],
        [(True, BAND, 7), (False, BAND, 5)],
        [(False, 100, 600), (False, 100, 400), (True, 150, 1_000)],
    ]
    for count, spread in ((5, 2), (16, 3), (33, 10), (60, 300_000), (60, 4)):
        kinds.append(
            [(draw.random() < 0.5, draw.randint(-spread, spread), draw.randint(1, 999)) for _ in range(count)]
        )
    return [_book_case(draw, rows) for rows in kinds]


def _book_case(draw: random.Random, rows: list[tuple[bool, int, int]]) -> dict[str, Any]:
    market = Market(COMMUNITY, 0, first_slot(RULES, DAY), 0)
    book = Book.of_orders(
        [
            Order(
                draw.randint(4, 9),
                *market[:3],
                market.session,
                price,
                wh,
                draw.randint(0, 4),
                buy,
                index,
                2**40,
            )
            for index, (buy, price, wh) in enumerate(rows)
        ]
    )
    records = book.records()
    batches, head, at = [], EMPTY_HEAD, 0
    while at < len(rows):
        size = min(draw.randint(1, 20), len(rows) - at)
        head = chain_head(head, records[at * RECORD_BYTES : (at + size) * RECORD_BYTES])
        batches.append(size)
        at += size
    result = clear(book, -BAND, BAND)
    last = len(rows) - 1
    return {
        "priceMin": -BAND,
        "priceMax": BAND,
        "records": _hex(records),
        "batches": batches,
        "head": _hex(head),
        "lo": result.lo,
        "hi": result.hi,
        "price": result.price,
        "volume": result.volume,
        "demandAbove": result.demand_above,
        "supplyBelow": result.supply_below,
        "fills": result.fills.tolist(),
        "prefixes": result.prefixes.tolist(),
        "root": _hex(fill_root(book, result)),
        "lastProof": [_hex(node) for node in proof_of(levels_of(fill_leaves(book, result)), last)],
        "locks": [str(value) for value in book.locks(RULES).tolist()],
    }


def digest_cases() -> dict[str, Any]:
    """One of everything that is signed, with its digest and a signature of key 0x01..20."""
    domain = signing.Domain(31_337, CONTRACT)
    key = bytes(range(1, 33))
    order = Order(4, COMMUNITY, 0, 480_000, 1, -123_456, 789, 3, True, 2**24 + 5, 2**33)
    profile = ProfileOrder(
        4, COMMUNITY, 0, 0, True, 9, 2**33, (Step(6, -7, 8, 1, False), Step(7, 9, 10, 0, True))
    )
    nomination = Nomination(4, COMMUNITY, 0, 480_000, 3, (-5, 6, 0))
    tariff = TariffReport(COMMUNITY, 0, DAY, ((250_000, 60_000), (-5, -6)))
    meter = meter_report(COMMUNITY, 0, 480_000, [MeterLeaf(4, 500, 20, 0, b"\x5a" * 32)])
    digests = {
        "order": signing.order_digest(domain, order),
        "profile": signing.profile_digest(domain, profile),
        "nomination": signing.nomination_digest(domain, nomination),
        "tariff": signing.tariff_digest(domain, tariff),
        "meter": signing.meter_digest(domain, meter),
    }
    wires = {
        "order": order.wire(signing.sign(key, digests["order"])),
        "profile": profile.wire(signing.sign(key, digests["profile"])),
        "nomination": nomination.wire(signing.sign(key, digests["nomination"])),
        "tariff": tariff.packed_prices(),
        "meter": meter.root,
    }
    return {
        "chainId": domain.chain_id,
        "contract": CONTRACT,
        "signer": signing.address_of(key),
        "market": str(order.market.key),
        "domainSeparator": _hex(domain.separator),
        "digests": {name: _hex(digest) for name, digest in digests.items()},
        "signatures": {name: _hex(signing.sign(key, digest)) for name, digest in digests.items()},
        "wires": {name: _hex(wire) for name, wire in wires.items()},
    }


def day_case(draw: random.Random) -> dict[str, Any]:
    """A day of seven homes and six busy slots: orders, positions, a curtailed slot, nominations, an estimated meter."""
    facts = day_facts(draw)
    bills = bill_day(facts)
    return {
        "rules": RULES.to_dict(),
        "day": DAY,
        "firstSlot": bills.first_slot,
        "retail": _hex(TariffReport(COMMUNITY, 0, DAY, tuple(facts.retail)).packed_prices()),
        "imbalance": _hex(TariffReport(COMMUNITY, 1, DAY, tuple(facts.imbalance)).packed_prices()),
        "markets": [_market_case(market, *cleared) for market, cleared in facts.markets.items()],
        "batches": [
            {
                "entries": _hex(b"".join(n.entry() for n in batch)),
                "root": _hex(batch_root(batch)),
                "count": len(batch),
            }
            for batch in facts.batches[0]
        ],
        "positions": [
            {
                "account": account,
                "records": [_hex(one.record()) for one in records],
                "chain": _hex(_word(records)),
            }
            for (_, account), records in facts.positions.items()
        ],
        "curtailed": [{"slot": slot, "permille": left} for (_, slot), left in facts.curtailments.items()],
        "meters": [_meter_case(slot, list(leaves)) for (_, slot), leaves in facts.meters.items()],
        "lines": [_line_case(bills, index) for index in range(len(bills.lines))],
        "accounts": [
            {
                "account": bill.account,
                "subtree": _node(bill.subtree),
                "node": _node(bill.node),
                "due": str(bill.sums.due),
                "entry": _hex(bill.entry),
            }
            for bill in bills.accounts
        ],
        "root": _node(bills.root),
        "lockTotal": str(bills.sums.lock_release),
    }


def day_facts(draw: random.Random) -> DayFacts:
    """Drawn homes: orders in both sessions, some without a nomination, one meter estimated in every slot."""
    first, accounts = first_slot(RULES, DAY), range(4, 11)
    slots = [first, first + 3, first + 11, first + 12, first + 13, first + 23]
    markets = {}
    for slot in slots:
        for session in range(2):
            orders = [
                Order(
                    account, COMMUNITY, 0, slot, session, draw.randint(-50_000, 300_000), draw.randint(1, 5_000),
                    draw.randint(0, 4), draw.random() < 0.5, index, 2**40,
                )
                for index, account in enumerate(draw.choices(accounts, k=draw.randint(1, 14)))
            ]  # fmt: skip
            book = Book.of_orders(orders)
            markets[Market(COMMUNITY, 0, slot, session)] = book, clear(book, RULES.price_min, RULES.price_max)
    batches = [
        [
            Nomination(
                account,
                COMMUNITY,
                0,
                first + start,
                seq,
                tuple(draw.choices(range(-6_000, 6_000), k=24 - start)),
            )
            for account, start in zip(draw.sample(accounts, k=4), (0, 3, 11, 12), strict=True)
        ]
        for seq in (1, 2)
    ]
    meters = {
        (0, slot): [
            MeterLeaf(
                account, draw.randint(0, 5_000), 0 if account == estimated else draw.randint(0, 5_000),
                int(account == estimated), draw.randbytes(32),
            )
            for account in accounts
        ]
        for slot in slots
        for estimated in [draw.choice(accounts)]
    }  # fmt: skip
    retail = [(draw.randint(100_000, 400_000), draw.randint(-20_000, 90_000)) for _ in range(24)]
    imbalance = [(draw.randint(0, 600_000), draw.randint(-50_000, 200_000)) for _ in range(24)]
    positions = _positions(draw, slots, accounts)
    return DayFacts(
        RULES, COMMUNITY, DAY, markets, {0: batches}, meters, retail, imbalance,
        positions=positions, curtailments={(0, first + 12): 667},
    )  # fmt: skip


def _positions(
    draw: random.Random, slots: list[int], accounts: range
) -> dict[tuple[int, int], list[Position]]:
    positions: dict[tuple[int, int], list[Position]] = {}
    for deal in range(6):
        buyer, seller = draw.sample(accounts, k=2)
        # The two hours from slots[2] on are busy, one of the others is enough.
        slot, count = (slots[2], 3) if deal % 2 else (draw.choice(slots), 1)
        wh = (*draw.choices([0, 250, 1_999], k=count - 1), draw.randint(1, 3_000))
        terms = draw.randint(1, 6), deal, draw.randint(-50_000, 300_000), draw.randint(0, 4), slot, wh
        agreement = Agreement(buyer, seller, *terms)
        for account, buy in ((buyer, True), (seller, False)):
            positions.setdefault((0, account), []).append(agreement.side(buy))
    return positions


def _word(positions: list[Position]) -> bytes:
    return chain_of(positions).to_bytes(32, "big")


def _market_case(market: Market, book: Book, result: Any) -> dict[str, Any]:
    return {
        "market": str(market.key),
        "records": _hex(book.records()),
        "lo": result.lo,
        "hi": result.hi,
        "root": _hex(fill_root(book, result)),
    }


def _meter_case(slot: int, leaves: list[MeterLeaf]) -> dict[str, Any]:
    report = meter_report(COMMUNITY, 0, slot, leaves)
    return {
        "slot": slot,
        "leaves": [
            {
                "account": leaf.account,
                "importWh": leaf.import_wh,
                "exportWh": leaf.export_wh,
                "quality": leaf.quality,
                "salt": _hex(leaf.salt),
            }
            for leaf in leaves
        ],
        "root": _hex(report.root),
        "importWh": report.import_wh,
        "exportWh": report.export_wh,
        "lastProof": [_node(node) for node in meter_proof(leaves, len(leaves) - 1)],
    }


def _line_case(bills: Bills, index: int) -> dict[str, Any]:
    line = bills.lines[index]
    proof = bills.line_proof(line.account, line.product, line.slot)
    return {
        "account": line.account,
        "slot": line.slot,
        "encoded": _hex(line.head.encode()),
        "references": [
            {"encoded": _hex(reference.encode()), "node": _node(reference.node())}
            for reference in line.references
        ],
        "hash": _hex(line.node().hash),
        "position": proof.position,
        "siblings": [_node(node) for node in proof.siblings],
        "index": proof.index,
        "upper": [_node(node) for node in proof.upper],
    }


def _node(node: Node) -> dict[str, Any]:
    return {"hash": _hex(node.hash), "sums": [str(value) for value in node.sums]}


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def cases() -> dict[str, Any]:
    """Every case file by name."""
    draw = random.Random(SEED)
    return {"books": book_cases(draw), "digests": digest_cases(), "day": day_case(draw)}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in cases().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
