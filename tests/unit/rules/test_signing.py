"""Digests against eth-account's own encoder, signatures against its recovery."""

from __future__ import annotations

import re
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data

from otaniemi.contracts.rules import signing
from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.orders import Order, ProfileOrder, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import TariffReport

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOMAIN = signing.Domain(31_337, CONTRACT)
KEY = bytes(range(1, 33))
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _expected(type_text: str, values: list[Any]) -> bytes:
    name, fields = re.fullmatch(r"(\w+)\((.*)\)", type_text).groups()  # type: ignore[union-attr]
    members = [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
    message = encode_typed_data(
        domain_data={"name": "Otaniemi", "version": "1", "chainId": 31_337, "verifyingContract": CONTRACT},
        message_types={name: members},
        message_data={member["name"]: value for member, value in zip(members, values, strict=True)},
    )
    return bytes(_hash_eip191_message(message))


def test_an_order_is_hashed_as_typed_data() -> None:
    order = Order(1, 2, 0, 1_880_000, 2, -123_456, 789, 3, True, 2**32 - 1, 2**64 - 1)
    values = [1, 2, 0, 1_880_000, 2, -123_456, 789, 3, True, 2**32 - 1, 2**64 - 1]
    assert signing.order_digest(DOMAIN, order) == _expected(signing.ORDER_TYPE, values)


def test_a_profile_is_hashed_as_typed_data() -> None:
    profile = ProfileOrder(1, 2, 0, 1, True, 4, 5, (Step(6, -7, 8, 1, False), Step(7, 9, 10, 0, True)))
    values = [1, 2, 0, 1, True, 4, 5, profile.packed_steps()]
    assert signing.profile_digest(DOMAIN, profile) == _expected(signing.PROFILE_ORDER_TYPE, values)


def test_a_nomination_is_hashed_as_typed_data() -> None:
    nomination = Nomination(1, 2, 0, 3, 4, (-5, 6))
    values = [1, 2, 0, 3, 4, bytes.fromhex("fffffffb00000006")]
    assert signing.nomination_digest(DOMAIN, nomination) == _expected(signing.NOMINATION_TYPE, values)


def test_a_tariff_report_is_hashed_as_typed_data() -> None:
    report = TariffReport(1, 1, 19_000, ((5, -6), (7, 8)), round=4)
    values = [1, 1, 19_000, 4, bytes.fromhex("00000005fffffffa0000000700000008")]
    assert signing.tariff_digest(DOMAIN, report) == _expected(signing.TARIFF_REPORT_TYPE, values)


def test_a_meter_report_is_hashed_as_typed_data() -> None:
    report = MeterReport(1, 0, 3, b"\xab" * 32, 2**64 - 1, 6, 7, round=4)
    values = [1, 0, 3, 4, b"\xab" * 32, 2**64 - 1, 6, 7]
    assert signing.meter_digest(DOMAIN, report) == _expected(signing.METER_REPORT_TYPE, values)


def test_a_consent_to_a_bond_is_hashed_as_typed_data() -> None:
    assert signing.reporter_bond_digest(DOMAIN, 7) == _expected(signing.REPORTER_BOND_TYPE, [7])


def test_a_signature_recovers_to_its_key_alone() -> None:
    signer = Account.from_key(KEY)
    assert signing.address_of(KEY) == signer.address
    for number in range(20):
        digest = number.to_bytes(32, "big")
        signature = signing.sign(KEY, digest)
        full = signer.unsafe_sign_hash(digest)
        assert signature == full.r.to_bytes(32, "big") + (full.s | (full.v - 27) << 255).to_bytes(32, "big")
        assert signing.recover(digest, signature) == signer.address
    assert signing.recover(bytes(32), signature) != signer.address


def test_another_chain_or_contract_makes_another_digest() -> None:
    order = Order(1, 2, 0, 3, 0, 5, 6, 0, True, 0, 9)
    digests = {
        signing.order_digest(domain, order)
        for domain in (DOMAIN, signing.Domain(1, CONTRACT), signing.Domain(31_337, "0x" + "11" * 20))
    }
    assert len(digests) == 3


def test_a_malleable_signature_is_refused() -> None:
    digest = bytes(32)
    signature = signing.sign(KEY, digest)
    word = int.from_bytes(signature[32:], "big")
    s, parity = word & 2**255 - 1, word >> 255
    mirrored = SECP256K1_ORDER - s | (1 - parity) << 255
    if mirrored < 2**256 and SECP256K1_ORDER - s < 2**255:
        with pytest.raises(SignatureError, match="high s"):
            signing.recover(digest, signature[:32] + mirrored.to_bytes(32, "big"))
    highest = SECP256K1_ORDER // 2 + 1
    with pytest.raises(SignatureError, match="high s"):
        signing.recover(digest, signature[:32] + highest.to_bytes(32, "big"))


@pytest.mark.parametrize("signature", [bytes(65), bytes(64), b"\xff" * 32 + bytes(31) + b"\x01"])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        signing.recover(bytes(32), signature)


@pytest.mark.parametrize(
    "address", ["", "0x12", "5FbDB2315678afecb367f032d93F642f64180aa3", "0x" + "zz" * 20]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(FieldError, match="address"):
        signing.Domain(1, address)
