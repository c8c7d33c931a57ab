"""ccxt's unified calls as they are called, for what an account on a venue without a profile may still ask."""

from infra.venues.ccxt.conversion import OrderReading
from infra.venues.ccxt.profiles.fill_pages import by_time
from infra.venues.ccxt.profiles.lookups import by_request
from infra.venues.ccxt.profiles.profile import VenueProfile
from infra.venues.ccxt.profiles.verdicts import ErrorTable

PLAIN = VenueProfile(
    ccxt_id="",
    reading=OrderReading(),
    placing_id="clientOrderId",
    cancel_id="clientOrderId",
    lookup=by_request("clientOrderId"),
    fill_pages=by_time,
    errors=ErrorTable(lambda _body: (), {}),
    order_types=(),
    times_in_force=(),
    api_urls=lambda _url: {},
    post_only=False,
)
