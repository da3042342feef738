"""The store: an index that can be rebuilt from the chain, plus what no chain holds.

Every function of the repository modules takes an open transaction (`Store.begin`, `Store.read`) and core types.

===============  =====================================================
``members``      accounts with their keys, meters and names
``intake``       signed orders and nominations on their way
``markets``      markets with gates, accepted records and results
``days``         tariffs, nominations and bills of a trading day
``positions``    agreements of all forms of trading but the call auction
``proposals``    bills that were proposed
``readings``     what meters said
``reports``      rounds and meter leaves of the reporters
``chain_index``  how far the index follows the chain; reorganisations
===============  =====================================================
"""

from otaniemi.platform.store.database import Store, StoreError

__all__ = ["Store", "StoreError"]
