"""Which homes and days a command was asked for, and the truth that they come to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.community import bundled_community, load_community
from otaniemi.platform.data.measured import load_measured
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.errors import OtaniemiError

DEFAULT_HOMES = 12
YEARS = range(1971, 2100)


@dataclass(frozen=True)
class ScenarioSettings:
    """Homes and days; None where the default applies."""

    homes: int | None
    days: int
    slot_seconds: int
    seed: int
    community: Path | None
    homes_data: Path | None
    prices: Path | None
    start: str | None


class SettingsError(OtaniemiError):
    """Options do not fit together, or one has no valid value."""


def scenario_of(settings: ScenarioSettings) -> Scenario:
    """The truth that the settings ask for: measured homes where they are given, else synthetic ones.

    Raises
    ------
    SettingsError
        Options do not fit together.
    DataError, CommunityError
        The data or the community file cannot be used.
    """
    start = None if settings.start is None else _date(settings.start)
    if settings.homes_data is None:
        for name, value in (("--community", settings.community), ("--prices", settings.prices)):
            if value is not None:
                raise SettingsError(f"{name} is {value}; it goes with --homes-data DIR, the measured homes")
        # Sun and household profiles are slow to import; measured homes do without them.
        from otaniemi.platform.data.synthetic import FIRST_DAY, synthetic_scenario

        homes = DEFAULT_HOMES if settings.homes is None else settings.homes
        return synthetic_scenario(
            homes, settings.days, settings.slot_seconds, settings.seed, start or FIRST_DAY
        )
    if settings.prices is None or start is None:
        raise SettingsError("--homes-data needs --prices FILE and --start YYYY-MM-DD")
    if settings.homes is not None:
        raise SettingsError(
            f"--homes is {settings.homes}; with --homes-data the community file says which homes"
        )
    community = bundled_community() if settings.community is None else load_community(settings.community)
    return load_measured(
        community, settings.homes_data, settings.prices, start, settings.days, settings.slot_seconds
    )


def forms_of(text: str | None) -> frozenset[Form]:
    """The forms of a list such as `call,package`, all without one: homes use those that pay on a day.

    Raises
    ------
    SettingsError
        A name is no form.
    """
    if text is None:
        return frozenset(Form)
    names = [name.strip().lower() for name in text.split(",")]
    valid = {form.name.lower(): form for form in Form}
    for name in names:
        if name not in valid:
            raise SettingsError(f"--forms names {name!r}; valid: {', '.join(valid)}")
    return frozenset(valid[name] for name in names)


def _date(text: str) -> dt.date:
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = dt.date.min
    if date.year not in YEARS:
        raise SettingsError(
            f"--start is {text}; valid is a date from {YEARS[0]} to {YEARS[-1]}, such as 2023-08-07"
        )
    return date
