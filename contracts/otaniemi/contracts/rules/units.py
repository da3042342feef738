"""Where floats end: the one crossing between EUR, kWh and the protocol's integers.

======== =========================  ==========================
quantity outside                    inside
======== =========================  ==========================
energy   kWh (float)                Wh
price    EUR/kWh (float)            micro-token per kWh
money    EUR (float)                nano-token; micro-token at the ERC-20
======== =========================  ==========================

One token is one euro. A price times an energy, micro-token/kWh x Wh, is nano-token exactly.
"""

from __future__ import annotations

from math import floor, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otaniemi.contracts.rules.errors import FieldError

IntArray = NDArray[np.int64]

MICRO_PER_TOKEN = 10**6
NANO_PER_MICRO = 10**3
NANO_PER_TOKEN = 10**9
WH_PER_KWH = 10**3


def price_of(eur_per_kwh: float) -> int:
    """Nearest price in micro-token per kWh."""
    return round(_finite("price [EUR/kWh]", eur_per_kwh) * MICRO_PER_TOKEN)


def prices_of(eur_per_kwh: ArrayLike) -> IntArray:
    """Nearest prices in micro-token per kWh, in the shape given."""
    return _rounded("price [EUR/kWh]", eur_per_kwh, MICRO_PER_TOKEN)


def eur_per_kwh(price: int) -> float:
    """Price of ``price`` micro-token per kWh in EUR/kWh."""
    return price / MICRO_PER_TOKEN


def offerable_wh(surplus_kwh: float) -> int:
    """Planned energy rounded down to Wh, so that no order exceeds its plan; 0 for what is not positive."""
    # HiGHS may return 0.9999999 for 1 kWh; its 1e-7 kWh tolerance is 1e-4 Wh.
    return max(0, floor(_finite("energy [kWh]", surplus_kwh) * WH_PER_KWH + 1e-3))


def wh_of(kwh: float) -> int:
    """Nearest energy in Wh; for meters and schedules, signed, import positive."""
    return round(_finite("energy [kWh]", kwh) * WH_PER_KWH)


def whs_of(kwh: ArrayLike) -> IntArray:
    """Nearest energies in Wh, in the shape given."""
    return _rounded("energy [kWh]", kwh, WH_PER_KWH)


def kwh_of(wh: int) -> float:
    """Energy of ``wh`` Wh in kWh."""
    return wh / WH_PER_KWH


def eur_of_nano(nano: int) -> float:
    """Money of ``nano`` nano-token in EUR."""
    return nano / NANO_PER_TOKEN


def nano_of_micro(micro: int) -> int:
    """ERC-20 amount ``micro`` in nano-token, exact."""
    return micro * NANO_PER_MICRO


def micro_of_nano(nano: int) -> int:
    """What can be withdrawn of ``nano``: whole micro-token, rounded down."""
    return nano // NANO_PER_MICRO


def micro_of_eur(eur: float) -> int:
    """Nearest ERC-20 amount in micro-token."""
    return round(_finite("money [EUR]", eur) * MICRO_PER_TOKEN)


def _finite(field: str, value: float) -> float:
    if not isfinite(value):
        raise FieldError(field, value, "a finite number")
    return value


def _rounded(field: str, values: ArrayLike, factor: int) -> IntArray:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise FieldError(field, float(array[~np.isfinite(array)].flat[0]), "a finite number")
    return np.rint(array * factor).astype(np.int64)
