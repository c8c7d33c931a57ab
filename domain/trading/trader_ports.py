"""What everything that trades on a node shares."""

from dataclasses import dataclass

from domain.clock import Clock, Ids
from domain.orders.bell import Bell
from domain.ports import Bus
from domain.storage import Storage
from domain.trading.market_feed import TradingMarkets
from domain.trading.ports import Vault
from domain.trading.venues import VenueDirectory


@dataclass(frozen=True, slots=True)
class TraderPorts:
    """The parts; `holder` is the node's name in leases, `cancel_foreign` ends orders that the engine doesn't know."""

    storage: Storage
    venues: VenueDirectory
    vault: Vault
    hub: TradingMarkets
    bus: Bus
    clock: Clock
    ids: Ids
    bell: Bell
    holder: str
    cancel_foreign: bool
