"""Wallet files and derived keys."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from otaniemi.platform.keys import (
    PASSPHRASE_VARIABLE,
    WalletError,
    ask_passphrase,
    create_wallet,
    derive_key,
    open_wallet,
    wallet_address,
)

PASSPHRASE = "sauna at midnight"


@pytest.fixture(scope="module")
def wallet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wallets") / "aino.json"
    create_wallet(path, PASSPHRASE, iterations=4096)
    return path


def test_a_wallet_opens_with_its_passphrase_and_no_other(wallet: Path) -> None:
    assert open_wallet(wallet, PASSPHRASE).address == wallet_address(wallet)
    with pytest.raises(WalletError, match="does not open with this passphrase"):
        open_wallet(wallet, PASSPHRASE + "!")


def test_a_wallet_file_is_for_its_owner_alone_and_holds_no_plain_key(wallet: Path) -> None:
    assert stat.S_IMODE(wallet.stat().st_mode) == 0o600
    assert open_wallet(wallet, PASSPHRASE).secret.hex() not in wallet.read_text()


def test_a_wallet_is_never_overwritten(wallet: Path) -> None:
    before = wallet.read_bytes()
    with pytest.raises(WalletError, match="never overwritten"):
        create_wallet(wallet, PASSPHRASE, iterations=4096)
    assert wallet.read_bytes() == before


def test_a_short_passphrase_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(WalletError, match="has 7 characters; valid is 8 or more"):
        create_wallet(tmp_path / "new.json", "1234567")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, "no json", "{}", "[]", json.dumps({"version": 9, "crypto": {}})])
def test_what_is_no_wallet_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "wallet.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WalletError, match=r"wallet\.json"):
        open_wallet(path, PASSPHRASE)
    if content is None or "version" not in content:
        with pytest.raises(WalletError, match=r"wallet\.json"):
            wallet_address(path)


def test_the_passphrase_comes_from_the_environment_or_is_asked_for() -> None:
    def never(_text: str) -> str:
        raise AssertionError("asked although it was given")

    assert ask_passphrase(True, {PASSPHRASE_VARIABLE: "given by it"}, never) == "given by it"
    answers = iter(["typed once", "typed once", "typed once", "typed wrong"])
    assert ask_passphrase(True, {}, lambda _text: next(answers)) == "typed once"
    with pytest.raises(WalletError, match="differ"):
        ask_passphrase(True, {}, lambda _text: next(answers))


def test_derived_keys_repeat_for_a_seed_and_differ_otherwise() -> None:
    assert derive_key(7, "owner", 3).secret == derive_key(7, "owner", 3).secret
    others = [(8, "owner", 3), (7, "device", 3), (7, "owner", 4), (73, "owner", 0)]
    addresses = {derive_key(*other).address for other in [(7, "owner", 3), *others]}
    assert len(addresses) == 5


def test_a_key_shows_neither_in_its_text_nor_in_logs(wallet: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = open_wallet(wallet, PASSPHRASE)
    logging.getLogger("test").info("opened %r", key)
    for text in (repr(key), str(key), caplog.text):
        assert key.secret.hex() not in text
        assert PASSPHRASE not in text
        assert repr(key.secret) not in text
