"""What everything that trades on a node shares."""

from dataclasses import dataclass

from domain.core.clock import Clock, IdGenerator
from domain.execution.notifications import OrderNotifier
from domain.ports.accounts import Vault
from domain.ports.bus import MessageBus
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory


@dataclass(frozen=True, slots=True)
class TraderDependencies:
    """The parts; `holder` is the node's name in leases, `cancel_foreign` ends orders that the engine doesn't know."""

    database: Database
    venues: VenueDirectory
    vault: Vault
    hub: MarketDataProvider
    bus: MessageBus
    clock: Clock
    ids: IdGenerator
    bell: OrderNotifier
    holder: str
    cancel_foreign: bool
