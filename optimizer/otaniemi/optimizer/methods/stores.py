"""Battery and vehicle as the allocation rules see them: stored energy of many days at once, and what must be kept."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.solver import Ints

_SAME_KWH = 1e-12


class BatteryDays:
    """The battery in many days at once; energies have shape (days,). [kWh]

    Attributes
    ----------
    stored : array
        Energy at the end of the last slot.
    full : float
        Most that it takes or gives in a slot.
    final : float
        Energy that it must hold at the end of the day.
    """

    def __init__(self, battery: Battery, slot_hours: float, guard_soc: float, days: int) -> None:
        size, guard = battery.capacity_kwh, guard_soc * battery.capacity_kwh
        self._in, self._out = battery.charge_efficiency, battery.discharge_efficiency
        self.full = battery.power_kw * slot_hours
        self.final = max(battery.final_soc, battery.min_soc) * size
        self._floor = min(battery.min_soc * size + guard, battery.max_soc * size)
        self._ceiling = max(battery.max_soc * size - guard, self.final)
        self.stored = np.full(days, battery.initial_soc * size)
        self._needed: Floats = np.zeros((0, days))

    def plan_final(self, sure_kwh: Floats) -> None:
        """Keep so much that what it can surely still take, shape (slots, days or 1), leads to the final charge."""
        later = np.zeros_like(sure_kwh)
        later[:-1] = sure_kwh[:0:-1].cumsum(axis=0)[::-1]
        self._needed = self.final - self._in * later

    def give(self, slot: int, wanted: Floats) -> Floats:
        """Discharge up to `wanted` and full power, within the guard and the final charge."""
        spare = (self.stored - np.maximum(self._needed[slot], self._floor)) * self._out
        given: Floats = np.maximum(np.minimum(np.minimum(wanted, self.full), spare), 0.0)
        self.stored = self.stored - given / self._out
        return given

    def take(self, slot: int, wanted: Floats, most: Floats, *, useful: bool = True) -> Floats:
        """Charge `wanted`, and up to `most` where the final charge forces it; not `useful`: no more than that."""
        room = ((self._ceiling if useful else self.final) - self.stored) / self._in
        forced = np.minimum((self._needed[slot] - self.stored) / self._in, most)
        forced[forced < _SAME_KWH] = 0.0
        taken: Floats = np.maximum(np.minimum(np.maximum(np.minimum(wanted, room), forced), self.full), 0.0)
        self.stored = self.stored + self._in * taken
        return taken


class VehicleDays:
    """The vehicle in many days at once; energies have shape (days,). [kWh]

    Attributes
    ----------
    stored : array
        Energy at the end of the last slot of a session.
    full : float
        Most that it takes or gives in a slot.
    """

    def __init__(
        self, ev: ElectricVehicle, session: Ints, slot_hours: float, guard_soc: float, headroom_kwh: Floats
    ) -> None:
        """Take `session` (slots,) as the number of the session of every slot, -1 where it is unplugged.

        `headroom_kwh`, shape (slots, days), is what the import limit leaves for charging.
        """
        size = ev.capacity_kwh
        self._in, self._out = ev.charge_efficiency, ev.discharge_efficiency
        self.full = ev.power_kw * slot_hours
        self._floor = (ev.min_soc + guard_soc) * size
        self._most = ev.max_soc * size
        self._session, self._sessions = session, ev.sessions
        self._targets = [max(stay.target_soc, ev.min_soc) * size for stay in ev.sessions]
        self._initial = [stay.initial_soc * size for stay in ev.sessions]
        self.is_source = ev.v2h != "no"
        days = headroom_kwh.shape[1]
        self.stored = np.full(days, np.nan)
        # Charging in whole slots of full power from here reaches the target; less than that forces it: the study's
        # N = ceil((SOC* - SOC) E / (eta P dt)) slots, where the connection lets it charge at full power.
        self._needed = np.full((session.size, days), np.nan)
        sure = self._in * np.minimum(headroom_kwh, self.full)
        for stay, target in zip(ev.sessions, self._targets, strict=True):
            span = slice(stay.arrival_slot, stay.departure_slot)
            later = np.zeros_like(sure[span])
            later[:-1] = sure[span][:0:-1].cumsum(axis=0)[::-1]
            self._needed[span] = target - later

    def charge(self, slot: int, cheap: bool, headroom: Floats) -> Floats:
        """Charge at full power to the target where the price is low, and where the slots left force it."""
        k = int(self._session[slot])
        if slot == self._sessions[k].arrival_slot:
            self.stored = np.full(self.stored.size, self._initial[k])
        below = self._targets[k] if cheap else self._needed[slot]
        room = (self._most - self.stored) / self._in
        power = np.minimum(np.minimum(self.full, headroom), room)
        taken = np.where(self.stored < below - _SAME_KWH, np.maximum(power, 0.0), 0.0)
        self.stored = self.stored + self._in * taken
        return taken

    def discharge(self, slot: int, wanted: Floats) -> Floats:
        """Discharge up to `wanted` and full power, within the guard and what the target needs."""
        spare = (self.stored - np.maximum(self._needed[slot], self._floor)) * self._out
        given: Floats = np.maximum(np.minimum(np.minimum(wanted, self.full), spare), 0.0)
        self.stored = self.stored - given / self._out
        return given

    def short_at(self, slot: int) -> Floats:
        """Energy short of the target at the end of a session, 0 in its other slots."""
        k = int(self._session[slot])
        if slot != self._sessions[k].departure_slot - 1:
            return np.zeros(self.stored.size)
        return np.asarray(np.maximum(self._targets[k] - self.stored, 0.0))
