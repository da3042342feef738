from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.calendar import Rules, first_slot
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.orders import (
    EMPTY_HEAD,
    Book,
    Market,
    NonceWindow,
    Order,
    ProfileOrder,
    Step,
    chain_head,
    decode_orders,
    decode_profiles,
    is_known_source,
    lock,
    preference,
    premium_of,
)

ORDER = Order(
    account=0x01020304, community=5, product=0, slot=0x060708, session=2, price=-2, quantity=0x0A0B,
    source=3, buy=True, nonce=0x11121314, valid_to=0x2122232425262728,
)  # fmt: skip
SIGNATURE = bytes(range(64))


def test_a_market_key_holds_community_product_slot_and_session() -> None:
    market = Market(community=1, product=2, slot=3, session=4)
    assert market.key == 0x0001_02_00000003_04
    assert Market.of(market.key) == market


def test_a_record_is_16_bytes_with_a_biased_price_and_the_low_nonce() -> None:
    # account, price -2 + 2**31, quantity, nonce without its high byte, source 3 and buy
    assert ORDER.record().hex() == "010203047ffffffe00000a0b12131407"


def test_a_relayed_order_adds_high_nonce_expiry_and_signature() -> None:
    wire = ORDER.wire(SIGNATURE)
    assert len(wire) == 89
    assert wire[16:25].hex() == "112122232425262728"
    assert list(decode_orders(ORDER.market, wire + wire)) == [(ORDER, SIGNATURE)] * 2


def test_a_profile_survives_the_wire() -> None:
    profile = ProfileOrder(7, 5, 0, 1, True, 9, 10, (Step(3, -4, 5, 1, False), Step(3, 6, 7, 0, True)))
    assert profile.packed_steps().hex() == "000000037ffffffc0000000502" + "00000003800000060000000701"
    other = replace(profile, all_or_nothing=False, steps=profile.steps[:1])
    wire = profile.wire(SIGNATURE) + other.wire(SIGNATURE[::-1])
    assert list(decode_profiles(5, 0, 1, wire)) == [(profile, SIGNATURE), (other, SIGNATURE[::-1])]
    with pytest.raises(FieldError, match="length of profiles"):
        list(decode_profiles(5, 0, 1, wire[:-1]))


def test_each_step_of_a_profile_becomes_a_record_of_its_market() -> None:
    profile = ProfileOrder(7, 5, 0, 1, False, 9, 10, (Step(3, -4, 5, 1, False), Step(4, 6, 7, 0, True)))
    records = profile.records()
    assert [market for market, _ in records] == [Market(5, 0, 3, 1), Market(5, 0, 4, 1)]
    assert records[0][1] == Order(7, 5, 0, 3, 1, -4, 5, 1, False, 9, 10).record()


def test_a_profile_over_two_days_is_malformed(rules: Rules) -> None:
    midnight = first_slot(rules, 20_000)
    good = ProfileOrder(
        7, 5, 0, 1, False, 9, 10, (Step(midnight, 1, 5, 1, False), Step(midnight + 95, 1, 7, 0, True))
    )
    good.check(rules)
    for steps in (
        (),
        good.steps[::-1],
        (Step(midnight - 1, 1, 5, 1, False), *good.steps),
        (Step(midnight, 1, 5, 5, False),),
    ):
        with pytest.raises(FieldError):
            replace(good, steps=steps).check(rules)


def test_a_book_reads_and_writes_records() -> None:
    sell = replace(ORDER, buy=False, price=2**31 - 1, quantity=2**32 - 1, account=2**32 - 1, nonce=2**24 - 1)
    book = Book.of_orders([ORDER, sell])
    assert book.records() == ORDER.record() + sell.record()
    assert book.account.tolist() == [0x01020304, 2**32 - 1]
    assert book.price.tolist() == [-2, 2**31 - 1]
    assert book.quantity.tolist() == [0x0A0B, 2**32 - 1]
    assert book.nonce.tolist() == [0x121314, 2**24 - 1]
    assert book.source.tolist() == [3, 3]
    assert book.buy.tolist() == [True, False]
    with pytest.raises(FieldError, match="length of records"):
        Book.of_records(bytes(17))


def test_a_buyer_locks_price_and_fees_a_seller_the_cost_of_not_delivering(rules: Rules) -> None:
    assert lock(rules, True, 100_000, 500) == 500 * 121_000
    assert lock(rules, True, -100_000, 500) == 500 * 21_000
    assert lock(rules, False, 100_000, 500) == 500 * 2_000_000
    assert lock(rules, False, -100_000, 500) == 500 * 2_100_000
    book = Book.of_columns([True, True, False, False], [100_000, -100_000, 100_000, -100_000], [500] * 4)
    assert book.locks(rules).tolist() == [60_500_000, 10_500_000, 1_000_000_000, 1_050_000_000]


def test_a_buyer_locks_at_least_one_nano_per_wh(rules: Rules) -> None:
    free = replace(rules, grid_fee=0, platform_fee=0)
    assert lock(free, True, 0, 500) == lock(free, True, -100_000, 500) == 500
    book = Book.of_columns([True, True, True], [0, -100_000, 1], [500] * 3)
    assert book.locks(free).tolist() == [500, 500, 500]


def test_a_preference_is_a_source_of_bids_alone_and_is_locked(rules: Rules) -> None:
    assert [preference(0), preference(1_000), preference(63_000)] == [64, 65, 127]
    assert premium_of(preference(30_000), True) == 30_000
    assert premium_of(4, True) == premium_of(64, False) == 0
    for wrong in (-1_000, 500, 64_000):
        with pytest.raises(FieldError, match="premium is"):
            preference(wrong)
    assert [source for source in range(-1, 130) if is_known_source(source, False)] == [0, 1, 2, 3, 4]
    assert [source for source in range(-1, 130) if is_known_source(source, True)] == [
        *range(5),
        *range(64, 128),
    ]
    assert lock(rules, True, 100_000, 500, preference(30_000)) == 500 * 151_000
    assert lock(rules, False, 100_000, 500, 3) == 500 * 2_000_000
    bid = replace(ORDER, source=preference(30_000), price=100_000, quantity=500)
    book = Book.of_orders([bid, replace(bid, buy=False, source=2), replace(bid, source=3)])
    assert book.premium.tolist() == [30_000, 0, 0]
    assert (book.prefers.tolist(), book.green.tolist()) == ([True, False, False], [False, True, False])
    assert book.locks(rules).tolist() == [500 * 151_000, 500 * 2_000_000, 500 * 121_000]


def test_the_hash_chain_depends_on_the_batches() -> None:
    record = ORDER.record()
    once = chain_head(EMPTY_HEAD, record + record)
    assert once != chain_head(chain_head(EMPTY_HEAD, record), record)
    assert once[30:] == bytes(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", 2**31), ("quantity", -1), ("account", 2**32), ("nonce", 2**32), ("slot", 1.5)],
)
def test_what_does_not_fit_the_record_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(FieldError, match=f"{field} is"):
        replace(ORDER, **{field: value})


def test_nonces_are_used_in_any_order_and_once() -> None:
    window = NonceWindow().use(5).use(0)
    assert not window.usable(5)
    assert not window.usable(0)
    assert window.usable(4)
    assert window.next == 6
    with pytest.raises(FieldError, match="nonce is 5"):
        window.use(5)


def test_the_window_slides_with_the_highest_nonce_and_older_ones_die() -> None:
    window = NonceWindow().use(0).use(127)
    assert window.base == 0
    window = window.use(128)  # 128 >= 0 + 128: base 128 - 127
    assert window.base == 1
    assert window.usable(1)
    assert window.use(10_000) == NonceWindow(10_000 - 127, 1 << 127)


def test_no_nonce_beyond_the_reach_can_use_up_later_ones() -> None:
    window = NonceWindow(base=10)
    assert window.usable(10 + 2**16 - 1)
    assert not window.usable(10 + 2**16)
    assert window.use(10 + 2**16 - 1) == NonceWindow(10 + 2**16 - 128, 1 << 127)
