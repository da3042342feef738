"""Every contract of a deployment, typed."""

from __future__ import annotations

from collections.abc import Mapping

from otaniemi.contracts.chain.billing import Court, Settlement
from otaniemi.contracts.chain.bindings import (
    Accounts,
    CallAuction,
    Communities,
    Oracle,
    Positions,
    Schedules,
    TestEuro,
)
from otaniemi.contracts.chain.forms.bilateral import BilateralContracts
from otaniemi.contracts.chain.forms.blocks import BlockSeries
from otaniemi.contracts.chain.forms.continuous import ContinuousMarket
from otaniemi.contracts.chain.forms.dutch import DutchAuction
from otaniemi.contracts.chain.forms.packages import PricePackages
from otaniemi.contracts.chain.forms.sealed import SealedAuction
from otaniemi.contracts.chain.node import Chain


class Contracts:
    """The contracts at ``addresses`` (name to checksummed address) on ``chain``."""

    def __init__(self, chain: Chain, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        self.test_euro = TestEuro(chain, addresses["TestEuro"])
        self.accounts = Accounts(chain, addresses["Accounts"])
        self.communities = Communities(chain, addresses["Communities"])
        self.call_auction = CallAuction(chain, addresses["CallAuction"])
        self.schedules = Schedules(chain, addresses["Schedules"])
        self.oracle = Oracle(chain, addresses["Oracle"])
        self.block_series = BlockSeries(chain, addresses["BlockSeries"])
        self.continuous_market = ContinuousMarket(chain, addresses["ContinuousMarket"])
        self.settlement = Settlement(chain, addresses["Settlement"])
        self.court = Court(chain, addresses["Court"])
        self.positions = Positions(chain, addresses["Positions"])
        self.price_packages = PricePackages(chain, addresses["PricePackages"])
        self.bilateral_contracts = BilateralContracts(chain, addresses["BilateralContracts"])
        self.sealed_auction = SealedAuction(chain, addresses["SealedAuction"])
        self.dutch_auction = DutchAuction(chain, addresses["DutchAuction"])
