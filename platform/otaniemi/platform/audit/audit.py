"""The audit of a run: from its directory, or from a node and the leaves that someone published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otaniemi.contracts.chain.blocks import RawBlock
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.errors import (
    ChainDataMissingError,
    ChainError,
    DeploymentError,
    WrongChainDataError,
)
from otaniemi.contracts.chain.read import read_verified, verify
from otaniemi.contracts.chain.rpc import RpcClient, read_block, read_blocks
from otaniemi.platform.audit.findings import AuditReport, EvidenceMissingError, Finding
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import steps_of


def audit_run(run_dir: Path, head: bytes | None = None) -> AuditReport:
    """Audit the run in ``run_dir``: ``deployment.json``, ``chain/`` and ``leaves/``.

    Parameters
    ----------
    run_dir : Path
    head : bytes, optional
        Hash of the newest block as known from elsewhere; by default the one in ``deployment.json``.

    Raises
    ------
    EvidenceMissingError
        A file is missing or unreadable, so that the audit could not look.
    """
    deployment = _deployment(run_dir / "deployment.json")
    try:
        blocks = read_verified(run_dir / "chain", head or deployment.head)
    except ChainDataMissingError as error:
        raise EvidenceMissingError(str(error)) from error
    except WrongChainDataError as error:
        return _wrong_chain(error)
    return audit_blocks(blocks, deployment, run_dir / "leaves")


def audit_rpc(url: str, deployment_file: Path, leaves: Path, head: bytes | None = None) -> AuditReport:
    """Audit the chain behind ``url`` up to ``head``, by default that of the deployment, else the newest block.

    Raises
    ------
    EvidenceMissingError
        The node does not answer, or a file is missing or unreadable.
    """
    deployment = _deployment(deployment_file)
    pinned = head or deployment.head
    try:
        rpc = RpcClient(url)
        newest = read_block(rpc, "latest")
        blocks = read_blocks(rpc, 0, newest.number)
    except ChainError as error:
        raise EvidenceMissingError(str(error)) from error
    hashes = [block.hash for block in blocks]
    if any(pinned):
        if pinned not in hashes:
            why = "is not on the node's chain"
            return AuditReport((Finding(f"block 0x{pinned.hex()}", why),), {})
        blocks = blocks[: hashes.index(pinned) + 1]
    try:
        verify(blocks, blocks[-1].hash)
    except WrongChainDataError as error:
        return _wrong_chain(error)
    return audit_blocks(blocks, deployment, leaves)


def audit_blocks(blocks: Sequence[RawBlock], deployment: Deployment, leaves: Path) -> AuditReport:
    """Audit verified ``blocks`` with the leaves in a directory.

    Raises
    ------
    EvidenceMissingError
        A file of leaves is missing or unreadable.
    """
    published = Published(leaves)
    replay = Replay(deployment, published)
    try:
        replay.run(steps_of(blocks, deployment.addresses))
    except ValueError as error:
        where, _, why = str(error).partition(": ")
        replay.findings.append(Finding(where, why))
    counts = {"blocks": len(blocks), **replay.counts, "leaves": published.leaf_count}
    return AuditReport(tuple(replay.findings), counts)


def _deployment(path: Path) -> Deployment:
    try:
        return Deployment.read(path)
    except DeploymentError as error:
        raise EvidenceMissingError(str(error)) from error


def _wrong_chain(error: WrongChainDataError) -> AuditReport:
    return AuditReport((Finding(error.where, error.why),), {})
