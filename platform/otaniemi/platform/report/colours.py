"""One colour and one name per thing, the same in every chart and in the picture.

Okabe and Ito's palette, which readers with any of the common colour vision deficiencies can tell apart. The page
lightens the blue where it is dark (`--blue` in page.css); all others stand out on both.
"""

from __future__ import annotations

from collections.abc import Sequence

DEVICE = {
    "pv": "#e69f00",
    "battery": "#009e73",
    "ev": "#cc79a7",
    "grid": "#6e6e6e",
    "load": "#0072b2",
    "appliances": "#56b4e9",
    "thermal": "#8b4a2f",
    "air_conditioner": "#8080d9",
    "water_heater": "#d55e00",
}
NAME = {
    "pv": "PV",
    "battery": "battery",
    "ev": "electric car",
    "grid": "grid",
    "load": "base load",
    "appliances": "appliances",
    "thermal": "heating and cooling",
    "air_conditioner": "air conditioner",
    "water_heater": "water heater",
    "heat_pump": "heat pump",
}
OTHER = ("#999933", "#aa4499", "#b15928", "#88ccee")
"""For devices without a colour of their own, in their order."""
SOURCE = {"pv": "PV", "battery": "battery", "v2h": "car (V2H)", "chp": "CHP", "grid": "grid"}
IMPORT = "#d55e00"
FEED_IN = "#0072b2"
BAND = "rgba(0, 158, 115, 0.16)"
SESSION = ("#009e73", "#e69f00", "#cc79a7", "#56b4e9")
BUY = "#0072b2"
SELL = "#d55e00"
PRICE = "#d55e00"
ALONE = "#8c8c8c"
MARKET = "#0072b2"


def of_devices(devices: Sequence[str]) -> dict[str, str]:
    """A colour for each device by its field in the house file."""
    others = [device for device in devices if device not in DEVICE]
    return {device: DEVICE.get(device) or OTHER[others.index(device) % len(OTHER)] for device in devices}
