"""The bills of a day once more, plain and slow, from the text of protocol section 7 alone.

Shares no code with ``otaniemi.contracts.rules``; it only reads the fields of the facts that it is given.
"""

from __future__ import annotations

from typing import Any

from eth_hash.auto import keccak

Plain = dict[str, Any]
"""A line: its fields by name, `references` as tuples (kind, chain, index, fill, 8 sums)."""

SUM_NAMES = ("trade_wh", "trade_money", "retail", "imbalance", "grid_fee", "platform_fee", "lock_release")


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def i(value: int, size: int) -> bytes:
    return (value % 2 ** (8 * size)).to_bytes(size, "big")


def packed(node: tuple[bytes, list[int]]) -> bytes:
    return node[0] + b"".join(i(value, 16) for value in node[1])


def toward_zero(wh: int, permille: int) -> int:
    return (abs(wh) * permille // 1000) * (1 if wh >= 0 else -1)


def lock_of(rules: Any, buy: bool, price: int, wh: int) -> int:
    if buy:
        return wh * max(1, max(price, 0) + rules.grid_fee + rules.platform_fee)
    return wh * (rules.short_cap + max(-price, 0))


def references_of(facts: Any, account: int, product: int, slot: int) -> list[tuple[Any, ...]]:
    """Every order and position of the account in that slot, ascending by kind, chain and index."""
    permille = facts.curtailments.get((product, slot), 1000)
    found = []

    def add(kind: int, chain: int, index: int, buy: bool, wh: int, price: int, lock: int) -> None:
        fill = toward_zero(wh, permille)
        sign = 1 if buy else -1
        grid, platform = (facts.rules.grid_fee, facts.rules.platform_fee) if buy else (0, 0)
        sums = [sign * fill, sign * fill * price, 0, 0, grid * fill, platform * fill, lock, 0]
        found.append((kind, chain, index, fill, sums))

    for market, (book, clearing) in facts.markets.items():
        if (market.product, market.slot) != (product, slot):
            continue
        for index in range(len(book)):
            if int(book.account[index]) == account:
                buy, limit = bool(book.buy[index]), int(book.price[index])
                lock = lock_of(facts.rules, buy, limit, int(book.quantity[index]))
                add(0, market.session, index, buy, int(clearing.fills[index]), clearing.price, lock)
    for index, position in enumerate(facts.positions.get((product, account), ())):
        for at, wh in enumerate(position.wh):
            if position.slot + at == slot and wh > 0:
                lock = lock_of(facts.rules, position.buy, position.price, wh)
                add(1, 0, index, position.buy, wh, position.price, lock)
    return sorted(found, key=lambda reference: reference[:3])


def legs(t: int, s: int, m: int, prices: Any, packages: Any) -> tuple[int, int]:
    """Retail, without the daily fee, and imbalance."""
    buy, feed_in, short, long = prices
    (pp, v), (fp, fv) = packages
    counting = [buy, feed_in] + ([pp] if v else []) + ([fp] if fv else [])
    short, long = max(short, *counting), min(long, *counting)
    r, d = s - t, m - s
    if r >= 0:
        by_package = min(r, v, max(m, 0))
        retail = by_package * pp + (r - by_package) * buy
    else:
        paid = min(-r, max(-m, 0))
        by_package = min(paid, fv)
        retail = -(by_package * fp + (paid - by_package) * feed_in + (-r - paid) * long)
    return retail, d * short if d > 0 else d * long


def line_of(facts: Any, product: int, slot: int, leaf: Any) -> Plain:
    rules, account = facts.rules, leaf.account
    first = (facts.day * 86_400 - rules.utc_offset) // rules.slot_seconds
    references = references_of(facts, account, product, slot)
    total = [sum(reference[4][at] for reference in references) for at in range(8)]
    best: tuple[int, int, int, int] | None = None
    for batch, nominations in enumerate(facts.batches.get(product, ())):
        for place, nomination in enumerate(nominations):
            at = slot - nomination.slot
            covers = nomination.account == account and 0 <= at < len(nomination.wh)
            if covers and (best is None or nomination.seq > best[1]):
                best = nomination.wh[at], nomination.seq, batch, place
    permille = facts.curtailments.get((product, slot), 1000)
    schedule = total[0] if best is None else toward_zero(best[0], permille)
    prices = (*facts.retail[slot - first], *facts.imbalance[slot - first])
    packages, fee = ((0, 0), (0, 0)), 0
    if (product, account, slot) in facts.packages:
        supply, feed_in, fee = facts.packages[product, account, slot]
        packages = tuple(supply), tuple(feed_in)
    measured, estimated = [leaf.import_wh - leaf.export_wh], [max(schedule, 0), leaf.import_wh, 0]
    candidates = measured if leaf.quality == 0 else estimated
    chosen = None
    for meter in candidates:
        retail, imbalance = legs(total[0], schedule, meter, prices, packages)
        if chosen is None or retail + imbalance > chosen[1] + chosen[2]:
            chosen = meter, retail, imbalance
    assert chosen is not None
    _, seq, batch, place = best or (0, 0, 0, 0)
    return {
        "account": account, "product": product, "slot": slot, "trade_wh": total[0], "trade_money": total[1],
        "seq": seq, "batch": batch, "leaf": place, "schedule_wh": schedule, "meter_wh": chosen[0],
        "quality": leaf.quality, "retail": chosen[1] + fee, "imbalance": chosen[2], "grid_fee": total[4],
        "platform_fee": total[5], "lock_release": total[6], "references": references,
    }  # fmt: skip


def join(left: tuple[bytes, list[int]], right: tuple[bytes, list[int]]) -> tuple[bytes, list[int]]:
    sums = [a + b for a, b in zip(left[1], right[1], strict=True)]
    both = keccak(packed(left)[32:] + packed(right)[32:])
    return keccak(b"\x03" + left[0] + right[0] + both), sums


def tree(leaves: list[tuple[bytes, list[int]]]) -> tuple[bytes, list[int]]:
    """An odd last node is promoted."""
    if not leaves:
        return bytes(32), [0] * 8
    while len(leaves) > 1:
        pairs = [join(*leaves[at : at + 2]) for at in range(0, len(leaves) - 1, 2)]
        leaves = pairs + (leaves[-1:] if len(leaves) % 2 else [])
    return leaves[0]


def line_node(line: Plain) -> tuple[bytes, list[int]]:
    references = [
        (keccak(b"\x06" + u(kind, 1) + u(chain, 4) + u(index, 4) + u(fill, 4)), sums)
        for kind, chain, index, fill, sums in line["references"]
    ]
    encoded = (
        u(line["account"], 4) + u(line["product"], 1) + u(line["slot"], 4) + i(line["trade_wh"], 8)
        + i(line["trade_money"], 16) + u(line["seq"], 4) + u(line["batch"], 4) + u(line["leaf"], 4)
        + i(line["schedule_wh"], 8) + i(line["meter_wh"], 8) + u(line["quality"], 1) + i(line["retail"], 16)
        + i(line["imbalance"], 16) + i(line["grid_fee"], 16) + i(line["platform_fee"], 16)
        + i(line["lock_release"], 16) + u(len(references), 4) + tree(references)[0]
    )  # fmt: skip
    assert len(encoded) == 178
    return keccak(b"\x02" + encoded), [line[name] for name in SUM_NAMES] + [0]


def subtree(placed: dict[int, tuple[bytes, list[int]]], first: int, width: int) -> tuple[bytes, list[int]]:
    if not any(first <= place < first + width for place in placed):
        return bytes(32), [0] * 8
    if width == 1:
        return placed[first]
    half = width // 2
    return join(subtree(placed, first, half), subtree(placed, first + half, half))


def due_of(sums: list[int]) -> int:
    return sum(sums[1:6]) - sums[6]


def bills(facts: Any) -> tuple[list[Plain], tuple[bytes, list[int]]]:
    """Every line by account, product and slot, and hash and sums of the root."""
    first = (facts.day * 86_400 - facts.rules.utc_offset) // facts.rules.slot_seconds
    lines = [
        line_of(facts, product, slot, leaf)
        for (product, slot), leaves in facts.meters.items()
        for leaf in leaves
        if leaf.account not in facts.strangers
    ]
    lines.sort(key=lambda line: (line["account"], line["product"], line["slot"]))
    width = 1
    while width < 86_400 // facts.rules.slot_seconds:
        width *= 2
    nodes = []
    for account in sorted({line["account"] for line in lines}):
        own = [line for line in lines if line["account"] == account]
        placed = {line["product"] * width + line["slot"] - first: line_node(line) for line in own}
        top = subtree(placed, 0, 4 * width)
        due, retail = due_of(top[1]), top[1][2]
        told = b"\x04" + u(account, 4) + i(due, 16) + i(retail, 16) + keccak(packed(top))
        nodes.append((keccak(told), [*top[1][:7], max(due, 0)]))
    return lines, tree(nodes)
