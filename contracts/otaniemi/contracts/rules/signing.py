"""Typed data (EIP-712) of everything that is signed, and its 64-byte signatures (EIP-2098)."""

from __future__ import annotations

from dataclasses import dataclass, field

from coincurve import PrivateKey, PublicKey

from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.orders import Order, ProfileOrder
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import TariffReport

DOMAIN_NAME = "Otaniemi"
DOMAIN_VERSION = "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ORDER_TYPE = (
    "Order(uint32 account,uint32 community,uint8 product,uint32 slot,uint8 session,int32 price,"
    "uint32 quantity,uint8 source,bool buy,uint32 nonce,uint64 validTo)"
)
PROFILE_ORDER_TYPE = (
    "ProfileOrder(uint32 account,uint32 community,uint8 product,uint8 session,bool allOrNothing,"
    "uint32 nonce,uint64 validTo,bytes steps)"
)
NOMINATION_TYPE = "Nomination(uint32 account,uint32 community,uint8 product,uint32 slot,uint32 seq,bytes wh)"
TARIFF_REPORT_TYPE = "TariffReport(uint32 community,uint8 feed,uint32 day,uint8 round,bytes prices)"
METER_REPORT_TYPE = (
    "MeterReport(uint32 community,uint8 product,uint32 slot,uint8 round,bytes32 root,uint64 importWh,"
    "uint64 exportWh,uint32 count)"
)
REPORTER_BOND_TYPE = "ReporterBond(uint32 account)"

_ORDER, _PROFILE, _NOMINATION, _TARIFF, _METER, _BOND = (
    keccak(text.encode())
    for text in (
        ORDER_TYPE,
        PROFILE_ORDER_TYPE,
        NOMINATION_TYPE,
        TARIFF_REPORT_TYPE,
        METER_REPORT_TYPE,
        REPORTER_BOND_TYPE,
    )
)
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_WORD = 2**256
_HIGH_BIT = 1 << 255


@dataclass(frozen=True, slots=True)
class Domain:
    """The contract, on its chain, that a signature is meant for; ``contract`` is its address."""

    chain_id: int
    contract: str
    separator: bytes = field(init=False)

    def __post_init__(self) -> None:
        separator = keccak(
            keccak(DOMAIN_TYPE.encode())
            + keccak(DOMAIN_NAME.encode())
            + keccak(DOMAIN_VERSION.encode())
            + self.chain_id.to_bytes(32, "big")
            + bytes(12)
            + address_bytes(self.contract)
        )
        object.__setattr__(self, "separator", separator)


def order_digest(domain: Domain, order: Order) -> bytes:
    """What the signer of ``order`` signs; ``domain`` is that of ``CallAuction``."""
    return struct_digest(
        domain,
        _ORDER
        + words(
            order.account, order.community, order.product, order.slot, order.session, order.price,
            order.quantity, order.source, order.buy, order.nonce, order.valid_to,
        ),
    )  # fmt: skip


def profile_digest(domain: Domain, profile: ProfileOrder) -> bytes:
    """What the signer of ``profile`` signs; ``domain`` is that of ``CallAuction``."""
    return struct_digest(
        domain,
        _PROFILE
        + words(
            profile.account, profile.community, profile.product, profile.session,
            profile.all_or_nothing, profile.nonce, profile.valid_to,
        )
        + keccak(profile.packed_steps()),
    )  # fmt: skip


def nomination_digest(domain: Domain, nomination: Nomination) -> bytes:
    """What the signer of ``nomination`` signs; ``domain`` is that of ``Schedules``."""
    n = nomination
    fields = words(n.account, n.community, n.product, n.slot, n.seq)
    return struct_digest(domain, _NOMINATION + fields + keccak(n.packed_wh()))


def tariff_digest(domain: Domain, report: TariffReport) -> bytes:
    """What reporters sign of a tariff report; ``domain`` is that of ``Oracle``."""
    fields = words(report.community, report.feed, report.day, report.round)
    return struct_digest(domain, _TARIFF + fields + keccak(report.packed_prices()))


def meter_digest(domain: Domain, report: MeterReport) -> bytes:
    """What reporters sign of a meter report; ``domain`` is that of ``Oracle``."""
    return struct_digest(
        domain,
        _METER
        + words(report.community, report.product, report.slot, report.round)
        + report.root
        + words(report.import_wh, report.export_wh, report.count),
    )


def reporter_bond_digest(domain: Domain, account: int) -> bytes:
    """What a reporter signs to let ``account`` put up its bond; ``domain`` is that of ``Oracle``."""
    return struct_digest(domain, _BOND + words(account))


def struct_digest(domain: Domain, struct: bytes) -> bytes:
    """What is signed of a struct in ``domain``; ``struct`` is the hash of its type, then its encoded fields."""
    return keccak(b"\x19\x01" + domain.separator + keccak(struct))


def words(*values: int) -> bytes:
    """``values`` as the fields of a struct, 32 bytes each; a negative one in two's complement."""
    return b"".join([(value % _WORD).to_bytes(32, "big") for value in values])


def sign(key: bytes, digest: bytes) -> bytes:
    """``r ‖ yParity << 255 | s`` of ``digest`` by the 32-byte private ``key``, 64 bytes with a low ``s``."""
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    s = int.from_bytes(signature[32:64], "big") | signature[64] << 255
    return signature[:32] + s.to_bytes(32, "big")


def recover(digest: bytes, signature: bytes) -> str:
    """Checksummed address of the key that signed ``digest``.

    Raises
    ------
    SignatureError
        The signature is not 64 bytes long, has a high ``s`` or belongs to no key.
    """
    if len(signature) != 64:
        raise SignatureError(f"a signature has 64 bytes (EIP-2098), got {len(signature)}")
    word = int.from_bytes(signature[32:], "big")
    s, parity = word & _HIGH_BIT - 1, word >> 255
    if s > _SECP256K1_ORDER // 2:
        raise SignatureError("the signature has a high s; sign with the lower one")
    full = signature[:32] + s.to_bytes(32, "big") + bytes([parity])
    try:
        return _address(PublicKey.from_signature_and_message(full, digest, hasher=None))
    except ValueError as error:
        raise SignatureError(f"the signature belongs to no key: {error}") from error


def address_of(key: bytes) -> str:
    """Checksummed address of the 32-byte private ``key``."""
    return _address(PrivateKey(key).public_key)


def address_bytes(address: str) -> bytes:
    """The 20 bytes of ``address``.

    Raises
    ------
    FieldError
        It is no 0x-prefixed address of 40 hexadecimal digits.
    """
    try:
        raw = bytes.fromhex(address[2:])
    except ValueError:
        raw = b""
    if len(raw) != 20 or address[:2] != "0x":
        raise FieldError("address", address, "0x and 40 hexadecimal digits")
    return raw


def checksum(address: bytes) -> str:
    """The 20-byte ``address`` as text with the checksum of EIP-55."""
    text = address.hex()
    return "0x" + "".join(
        letter.upper() if int(digit, 16) >= 8 else letter
        for letter, digit in zip(text, keccak(text.encode()).hex(), strict=False)
    )


def _address(key: PublicKey) -> str:
    return checksum(keccak(key.format(compressed=False)[1:])[12:])
