"""The optimizer's guides: every field is described, what they show is what happens."""

from __future__ import annotations

import contextlib
import copy
import doctest
import io
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import otaniemi.optimizer
from otaniemi.optimizer import House, HouseDataError, InfeasibleHouseError, plan
from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import ThermalDevice
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.house import Scenario, Tariff

ROOT = Path(__file__).resolve().parents[3]
GUIDES = ROOT / "docs" / "guides"
HOUSE_PAGE = (GUIDES / "house.md").read_text(encoding="utf-8")
EXAMPLE, INFEASIBLE = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", HOUSE_PAGE, re.DOTALL))

PARTS: dict[str, type] = {
    "tariff": Tariff,
    "appliances": Appliance,
    "battery": Battery,
    "scenarios": Scenario,
}
PARTS |= ThermalDevice.kinds


def example() -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE)  # type: ignore[no-any-return]


def section(title: str) -> str:
    """The part of the page below a heading."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", HOUSE_PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found.group(1)


@pytest.mark.parametrize("name", PARTS)
def test_the_house_page_describes_every_field_of_a_part(name: str) -> None:
    described = set(re.findall(r"`([\w.\[\]]+)`", section(f"`{name}`")))
    assert {field.name for field in fields(PARTS[name])} <= described


def test_the_house_page_describes_every_field_of_the_home_and_of_the_vehicle() -> None:
    described = set(re.findall(r"`(\w+)`", section("The home")))
    assert set(House.from_dict(example()).to_dict()) <= described
    vehicle = section("`ev`")
    for session_field in fields(EvSession):
        assert f"`sessions[].{session_field.name}`" in vehicle
    shared = {field.name for field in fields(ElectricVehicle)} & {field.name for field in fields(Battery)}
    own = {field.name for field in fields(ElectricVehicle)} - shared
    assert all(f"`{name}`" in vehicle for name in own)


def test_the_example_has_every_part_and_reads_back() -> None:
    house = House.from_dict(example())
    assert set(PARTS) | {"ev"} <= set(example())
    assert House.from_dict(house.to_dict()).to_dict() == house.to_dict()


def test_the_house_page_describes_every_field_of_the_plan() -> None:
    described = set(re.findall(r"`(\w+)`", section("The plan file")))
    assert set(plan(House.from_dict(example())).to_dict()) <= described


def test_the_refusals_shown_are_those_given() -> None:
    shown = re.findall(r"^(field '.*)$", section("Rules for all fields"), re.MULTILINE)
    wrong = [example() for _ in shown]
    wrong[0]["battery"]["charge_efficiency"] = 1.05
    wrong[1]["pv_kw"] = [0.0] * 7
    wrong[2]["base_load_kw"][3] = float("nan")
    wrong[3]["air_conditioner"]["mincl_c"] = 20
    for data, message in zip(wrong, shown, strict=True):
        with pytest.raises(HouseDataError) as refused:
            House.from_dict(data)
        assert str(refused.value) == message


def test_the_infeasible_house_shown_is_answered_so() -> None:
    data = example()
    data["ev"]["sessions"][1] |= {"arrival_slot": 7, "target_soc": 0.9}
    with pytest.raises(InfeasibleHouseError) as refused:
        plan(House.from_dict(data))
    assert refused.value.to_dict() == INFEASIBLE | {"amount_kwh": pytest.approx(2.76)}


def test_the_device_page_shows_the_file_as_it_is() -> None:
    page = (GUIDES / "devices.md").read_text(encoding="utf-8")
    source = (ROOT / "optimizer" / "otaniemi" / "optimizer" / "devices" / "heat_pump.py").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    assert [block for block in blocks if block not in source] == []


def test_the_tutorial_prints_what_it_shows() -> None:
    page = (GUIDES / "optimizer.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.DOTALL)
    names: dict[str, Any] = {}
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == shown, code


def test_the_example_of_the_package_holds() -> None:
    failed, tried = doctest.testmod(otaniemi.optimizer)
    assert (failed, tried) == (0, 4)


def test_every_section_that_the_code_points_to_is_on_the_model_page() -> None:
    page = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    headings = " / ".join(re.findall(r"^#+ (.*)$", page, re.MULTILINE)).lower()
    sources = [*(ROOT / "optimizer").rglob("*.py"), *(ROOT / "platform").rglob("*.py")]
    named = {
        name
        for source in sources
        for name in re.findall(r'docs/model\.md, "([^"]+)"', source.read_text(encoding="utf-8"))
    }
    assert {"Rooms", "Scenarios"} <= named
    assert [name for name in sorted(named) if name.lower() not in headings] == []
