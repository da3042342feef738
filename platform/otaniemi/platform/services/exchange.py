"""Everything that runs one community's market, put together."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.tariffs import day_reference, day_tariffs
from otaniemi.platform.clock import Clock
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.data.tariff import tariffs_of
from otaniemi.platform.services.auctions import AuctionService
from otaniemi.platform.services.bilateral import BilateralService
from otaniemi.platform.services.continuous import ContinuousService
from otaniemi.platform.services.founding import Founded
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.services.market import MarketService
from otaniemi.platform.services.oracles import OracleService
from otaniemi.platform.services.packages import PackageService
from otaniemi.platform.services.schedules import ScheduleService
from otaniemi.platform.services.series import SeriesService
from otaniemi.platform.services.settlement import SettlementService


@dataclass(frozen=True)
class Exchange:
    """The services of one community, whose first trading day starts with ``first_slot``."""

    founded: Founded
    first_slot: int
    market: MarketService
    continuous: ContinuousService
    auctions: AuctionService
    series: SeriesService
    packages: PackageService
    contracts: BilateralService
    schedules: ScheduleService
    oracles: OracleService
    settlement: SettlementService

    @property
    def gateway(self) -> Gateway:
        return self.founded.gateway

    def tend(self) -> None:
        """Do what is due in auctions, standard and bilateral contracts."""
        self.contracts.tend()
        self.auctions.tend()
        self.series.tend()

    def next_due(self) -> int | None:
        """When there is something to tend to next [Unix s], None if nothing is open."""
        found = (self.contracts.next_due(), self.auctions.next_due(), self.series.next_due())
        return min((moment for moment in found if moment is not None), default=None)

    @property
    def clock(self) -> Clock:
        return self.founded.gateway.clock


def open_exchange(founded: Founded, scenario: Scenario, seed: int) -> Exchange:
    """Start the services of a founded community; its prices come from ``scenario``."""
    gateway, staff = founded.gateway, founded.staff

    def tariffs(feed: Feed, day: int) -> TariffReport:
        first = day * 86_400 - scenario.utc_offset_s
        index = (first // scenario.slot_seconds - scenario.first_slot) // scenario.slots_per_day
        if feed == Feed.REFERENCE:
            known = scenario.prices.spot_micro[: (index + 1) * scenario.slots_per_day]
            spot_days = known.reshape(-1, scenario.slots_per_day).tolist()
            return day_reference(spot_days, gateway.rules, gateway.community, day)
        prices = tariffs_of(scenario.day(index).prices)
        return day_tariffs(prices, gateway.rules, gateway.community, day)[feed]

    platform_owner, platform_account = staff.parties[2], gateway.rules.platform
    return Exchange(
        founded=founded,
        first_slot=scenario.first_slot,
        market=MarketService(gateway, staff.relayer, staff.keeper),
        continuous=ContinuousService(
            gateway, gateway.contracts.continuous_market, gateway.contracts.block_series, staff.engine
        ),
        auctions=AuctionService(gateway, staff.keeper),
        series=SeriesService(gateway, staff.admin, staff.keeper),
        packages=PackageService(gateway, staff.relayer),
        contracts=BilateralService(gateway, staff.keeper),
        schedules=ScheduleService(gateway, staff.relayer),
        oracles=OracleService(
            gateway,
            staff.oracle,
            [key.secret for key in staff.reporters],
            tariffs,
            keccak(b"meter salts" + seed.to_bytes(8, "big")),
        ),
        settlement=SettlementService(gateway, platform_owner, platform_account),
    )
