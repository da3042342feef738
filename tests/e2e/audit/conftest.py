"""One small day, played once for all tests of the audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small_day import play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of the small day; read it, do not write to it."""
    directory = tmp_path_factory.mktemp("small") / "run"
    play(directory)
    return directory
