from __future__ import annotations

from pathlib import Path

import pytest

from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.errors import RunDirectoryError
from otaniemi.platform.run_directory import RunDirectory, next_free


def test_actions_run_in_order_of_time_then_of_entry() -> None:
    timeline, seen = Timeline(SimulatedClock(100)), list[tuple[str, int]]()

    def note(name: str) -> None:
        seen.append((name, timeline.clock.now))

    timeline.at(300, lambda: note("later"))
    timeline.at(200, lambda: (note("first"), timeline.at(250, lambda: note("entered by first")))[0])
    timeline.at(200, lambda: note("second"))
    timeline.run()
    assert seen == [("first", 200), ("second", 200), ("entered by first", 250), ("later", 300)]


def test_a_late_entry_runs_without_moving_time_back() -> None:
    timeline, seen = Timeline(SimulatedClock(100)), list[int]()
    timeline.at(50, lambda: seen.append(timeline.clock.now))
    timeline.run()
    assert seen == [100]


def test_a_run_appears_only_when_published(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with RunDirectory(target) as run:
        run.write_json("summary.json", {"homes": 1})
        assert not target.exists()
        run.publish()
    assert (target / "summary.json").exists()


def fail_in(path: Path, note: Path | None = None) -> None:
    """Fail in the middle of a run, when somebody else may have left a ``note``."""
    with RunDirectory(path) as run:
        run.write_json("summary.json", {})
        if note is not None:
            note.write_text("kept")
        raise ZeroDivisionError


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_in(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_an_interrupted_run_are_named(tmp_path: Path) -> None:
    (tmp_path / "run.partial").mkdir()
    with pytest.raises(RunDirectoryError, match=r"run\.partial"), RunDirectory(tmp_path / "run"):
        pass
    assert (tmp_path / "run.partial").exists()


def test_files_of_another_run_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_text("{}")
    with pytest.raises(RunDirectoryError, match="already holds files"), RunDirectory(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "summary.json").read_text() == "{}"


def test_default_numbering_skips_runs_and_leftovers(tmp_path: Path) -> None:
    (tmp_path / "001").mkdir()
    (tmp_path / "002.partial").mkdir()
    assert next_free(tmp_path) == tmp_path / "003"


def test_a_failed_run_removes_only_the_directories_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ZeroDivisionError):
        fail_in(tmp_path / "mine" / "deep" / "run", tmp_path / "mine" / "deep" / "note")
    assert [path.name for path in (tmp_path / "mine" / "deep").iterdir()] == ["note"]
    with pytest.raises(ZeroDivisionError):
        fail_in(tmp_path / "mine" / "other" / "run")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["deep"]


def test_a_run_appears_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with RunDirectory(tmp_path / "link") as run:
        run.write_json("summary.json", {})
        run.publish()
    assert (tmp_path / "link" / "summary.json").exists()


@pytest.mark.parametrize("path", [".", "..", "/"])
def test_a_place_without_a_name_of_its_own_is_refused(path: str) -> None:
    with pytest.raises(RunDirectoryError, match="is no directory of its own"):
        RunDirectory(Path(path))
