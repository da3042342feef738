"""An anvil process of our own: found, started on a free port, and stopped whatever happens."""

from __future__ import annotations

import atexit
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from otaniemi.contracts.chain.errors import NodeError, NodeNotFoundError, PortInUseError
from otaniemi.contracts.chain.node import DEVNET_CHAIN_ID, GAS_LIMIT

START_SECONDS = 20.0
STOP_SECONDS = 5.0
HOST = "127.0.0.1"


def find_anvil() -> Path | None:
    """The anvil of the nearest ``node_modules`` above this directory or this file, else of the PATH."""
    here, source = Path.cwd(), Path(__file__).resolve()
    for folder in (here, *here.parents, *source.parents):
        candidate = folder / "node_modules" / ".bin" / "anvil"
        if candidate.exists():
            return candidate
    on_path = shutil.which("anvil")
    return Path(on_path) if on_path else None


class AnvilProcess:
    """A running anvil at ``url``; stops when told to, and at the latest when this process ends."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.url = url
        self._process = process
        atexit.register(self.stop)

    @classmethod
    def start(cls, genesis_time: int, port: int | None = None) -> AnvilProcess:
        """Start anvil with Prague rules, its genesis at ``genesis_time``, mining only on command.

        Raises
        ------
        NodeNotFoundError
            No anvil in node_modules or on the PATH.
        PortInUseError
            ``port`` was given and something listens there.
        NodeError
            anvil ended, or did not listen in time.
        """
        binary = find_anvil()
        if binary is None:
            raise NodeNotFoundError(
                "anvil is neither in node_modules nor on the PATH; run `npm ci` or install Foundry"
            )
        port = _free_port(port)
        command = [str(binary), "--host", HOST, "--port", str(port), "--chain-id", str(DEVNET_CHAIN_ID)]
        command += ["--hardfork", "prague", "--gas-limit", str(GAS_LIMIT), "--timestamp", str(genesis_time)]
        # First in, first out: arrival order decides who trades at the margin.
        command += ["--no-mining", "--order", "fifo", "--disable-min-priority-fee", "--no-request-size-limit"]
        with tempfile.TemporaryFile() as log:
            # Its own session, so that Ctrl-C reaches us alone and we stop it in order.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
            anvil = cls(process, f"http://{HOST}:{port}")
            try:
                _await_listening(process, port, log)
            except BaseException:
                anvil.stop()
                raise
        return anvil

    def stop(self) -> None:
        """End anvil; a second call does nothing."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _free_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, wanted or 0))
        except OSError as error:
            raise PortInUseError(wanted or 0) from error
        return int(probe.getsockname()[1])


def _await_listening(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise NodeError(f"anvil ended at once: {log.read().decode(errors='replace').strip()}")
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise NodeError(f"anvil did not listen on port {port} within {START_SECONDS:.0f} s")
