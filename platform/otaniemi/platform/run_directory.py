"""The directory of a run: written beside its final place, and moved there only when it is complete."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from otaniemi.platform.errors import RunDirectoryError

PARTIAL = ".partial"


def next_free(base: Path) -> Path:
    """The first of ``base/001``, ``base/002``, ... that neither a run nor the leftovers of one occupy."""
    taken = {path.name.removesuffix(PARTIAL) for path in base.glob("*")} if base.is_dir() else set()
    return next(base / f"{number:03d}" for number in range(1, 1_000_000) if f"{number:03d}" not in taken)


class RunDirectory:
    """Collects a run's files; ``publish`` makes them appear at ``path`` all at once.

    Used as a context: leaving it with an exception removes what was written.

    Raises
    ------
    RunDirectoryError
        ``path`` holds something already, an interrupted run left its files, or the place cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.name in ("", ".."):
            raise RunDirectoryError(f"--out {path}: is no directory of its own; valid: a new or empty one")
        self.path = path.resolve() if path.is_symlink() else path
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self._made: list[Path] = []
        self._published = False

    def __enter__(self) -> RunDirectory:
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RunDirectoryError(
                f"--out {self.path}: already holds files; choose a new or empty directory"
            )
        if self.partial.exists():
            raise RunDirectoryError(
                f"--out {self.path}: an interrupted run left {self.partial}; delete it or choose another directory"
            )
        self._made = [parent for parent in self.partial.parents if not parent.exists()]
        try:
            self.partial.mkdir(parents=True)
            (self.partial / "leaves").mkdir()
            (self.partial / "chain").mkdir()
        except OSError as error:
            self._remove()
            raise RunDirectoryError(f"--out {self.path}: cannot write there ({error.strerror})") from error
        return self

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Write ``value`` as readable JSON, keys in the given order."""
        (self.partial / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    def publish(self) -> Path:
        """Move the complete run to its place and return that."""
        if self.path.exists():
            self.path.rmdir()
        self.partial.rename(self.path)
        self._published = True
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._published:
            self._remove()

    def _remove(self) -> None:
        """Remove the files, and the directories that were made for them and hold nothing else."""
        shutil.rmtree(self.partial, ignore_errors=True)
        with suppress(OSError):
            for parent in self._made:
                parent.rmdir()
