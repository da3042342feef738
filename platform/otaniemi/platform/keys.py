"""Keys that never leave the home: encrypted wallet files, their passphrase, and a simulation's derived keys.

A wallet file is an Ethereum keystore (version 3 JSON, scrypt), which other wallets open too. A key is never
written anywhere in plain, and nothing here logs one.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from eth_account import Account

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import address_bytes, checksum
from otaniemi.platform.errors import OtaniemiError

PASSPHRASE_VARIABLE = "OTANIEMI_PASSPHRASE"
SHORTEST_PASSPHRASE = 8

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class WalletError(OtaniemiError):
    """A wallet file cannot be created or opened."""


def derive_key(seed: int, role: str, index: int) -> Key:
    """The simulation's key of ``role`` number ``index``: the same for the same seed, hence no secret.

    Parameters
    ----------
    seed : int
        The run's seed.
    role : str
        What the key is for ("owner", "device", "reporter", "relayer", ...).
    index : int
        Which one, from 0.
    """
    digest = keccak(b"otaniemi simulation key\0" + json.dumps([seed, role, index]).encode())
    number = int.from_bytes(digest, "big") % (_CURVE_ORDER - 1) + 1
    return Key(number.to_bytes(32, "big"))


def create_wallet(path: Path, passphrase: str, iterations: int | None = None) -> str:
    """Create a fresh key in a new wallet file that only its owner can read; the address comes back.

    Parameters
    ----------
    path : Path
        Must not exist: a wallet is never overwritten.
    passphrase : str
        At least 8 characters.
    iterations : int, optional
        Work factor of scrypt, a power of two; the library's secure default when left out.

    Raises
    ------
    WalletError
        The file exists or cannot be written, or the passphrase is too short.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise WalletError(
            f"the passphrase has {len(passphrase)} characters; valid is {SHORTEST_PASSPHRASE} or more"
        )
    key = Key(secrets.token_bytes(32))
    keystore = json.dumps(Account.encrypt(key.secret, passphrase, iterations=iterations))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise WalletError(f"{path} exists; choose another path, a wallet is never overwritten") from error
    except OSError as error:
        raise WalletError(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(keystore)
    return key.address


def open_wallet(path: Path, passphrase: str) -> Key:
    """Decrypt a wallet file.

    Raises
    ------
    WalletError
        No such file, not a keystore, or the wrong passphrase.
    """
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WalletError(
            f"{path} cannot be read: {error.strerror}; create one with `otaniemi wallet new`"
        ) from error
    except ValueError as error:
        raise WalletError(f"{path} is not a wallet file (an Ethereum keystore in JSON)") from error
    try:
        return Key(Account.decrypt(keystore, passphrase))
    except (KeyError, TypeError, NotImplementedError) as error:
        raise WalletError(f"{path} is not a wallet file (an Ethereum keystore in JSON)") from error
    except ValueError as error:
        raise WalletError(f"{path} does not open with this passphrase") from error


def wallet_address(path: Path) -> str:
    """The address of a wallet file, without its passphrase.

    Raises
    ------
    WalletError
        No such file, or not a keystore that names its address.
    """
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
        return checksum(address_bytes("0x" + keystore["address"].removeprefix("0x")))
    except OSError as error:
        raise WalletError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WalletError(f"{path} is not a wallet file (an Ethereum keystore in JSON)") from error


def ask_passphrase(
    confirm: bool,
    environment: Mapping[str, str] = os.environ,
    prompt: Callable[[str], str] = getpass.getpass,
) -> str:
    """The passphrase from ``OTANIEMI_PASSPHRASE``, else asked for without echo (twice when ``confirm``).

    Raises
    ------
    WalletError
        The two answers differ.
    """
    if PASSPHRASE_VARIABLE in environment:
        return environment[PASSPHRASE_VARIABLE]
    passphrase = prompt("Passphrase of the wallet: ")
    if confirm and prompt("Once more: ") != passphrase:
        raise WalletError("the two passphrases differ; nothing was written")
    return passphrase
