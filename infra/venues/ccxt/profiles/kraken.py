"""Kraken: https://docs.kraken.com/api-reference/trading/add-order."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from operator import methodcaller
from typing import Any

from domain.model.client_order_ids import OrderIdForm
from domain.model.orders import Order, OrderType, TimeInForce
from domain.model.venue_abilities import AmendAbility
from infra.venues.ccxt.conversion import CcxtValue, OrderReading
from infra.venues.ccxt.order_arguments import OrderArguments
from infra.venues.ccxt.profiles.fill_pages import by_offset
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery, kraken_rights
from infra.venues.ccxt.profiles.kraken_streams import kraken_streams
from infra.venues.ccxt.profiles.lookups import in_lists
from infra.venues.ccxt.profiles.profile import VenueProfile
from infra.venues.ccxt.profiles.verdicts import ErrorTable, VenueError, Verdict, same, text

DEADLINE = timedelta(seconds=5)
"""After this the matching engine drops an order that was sent; Kraken takes from 2 to 60 s."""

LISTS_LAG = timedelta(seconds=60)
"""How far the lists of orders have been seen to lag behind the streams."""


def read_errors(body: Mapping[str, Any]) -> Iterator[VenueError]:
    """Yield the errors of a body such as `{"error":["EOrder:Insufficient funds"]}`; the code is the text."""
    errors = body.get("error")
    for error in errors if isinstance(errors, list) else []:
        yield VenueError(text(error), text(error))


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a server at `url`."""
    streams = url.replace("http", "ws", 1)
    names = ("public", "private", "beta", "beta-private")
    sockets = {**dict.fromkeys(names, streams), "privateV2": f"{streams}/v2", "publicV2": f"{streams}/v2"}
    return {"public": url, "private": url, "ws": sockets}


def _with_deadline(_order: Order, arguments: OrderArguments, venue_now: datetime) -> OrderArguments:
    deadline = (venue_now + DEADLINE).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return replace(arguments, params=arguments.params | {"deadline": deadline})


PROFILE = VenueProfile(
    ccxt_id="kraken",
    reading=OrderReading(OrderIdForm.HEXADECIMAL),
    placing_id="clientOrderId",
    cancel_id="clientOrderId",
    # `fetch_order` sends the id as `userref`, of which the venue knows nothing.
    lookup=in_lists("clientOrderId", "fetch_open_orders", "fetch_closed_orders"),
    fill_pages=by_offset,
    errors=ErrorTable(
        read_errors,
        {
            **same(Verdict.REFUSED, "EOrder:", "EQuery:", "ETrade:", "EAccount:", "EGeneral:Invalid arguments"),
            **same(Verdict.REFUSED, "EService:Market in ", "EGeneral:Permission denied"),
            **same(Verdict.CREDENTIALS, "EAPI:Invalid key", "EAPI:Invalid signature"),
            **same(Verdict.UNKNOWN, "EService:", "EGeneral:Internal error"),
            **same(Verdict.BUSY, "EAPI:Rate limit exceeded", "EGeneral:Temporary lockout", "EService:Throttled"),
            "EGeneral:Too many requests": Verdict.BUSY,
            "EAPI:Invalid nonce": Verdict.CLOCK,
            "EOrder:Unknown order": Verdict.ABSENT,
        },
        {429: Verdict.BUSY},
    ),
    order_types=(
        OrderType.MARKET,
        OrderType.LIMIT,
        OrderType.STOP,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    ),
    times_in_force=(TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTD),
    api_urls=api_urls,
    amend=AmendAbility.IN_PLACE,
    trailing_stop=True,
    absent_after_seconds=DEADLINE.total_seconds() + LISTS_LAG.total_seconds(),
    reader=kraken_streams,
    streams=(methodcaller("watch_orders"), methodcaller("watch_balance")),
    placing=_with_deadline,
    serial_requests=True,
    key_rights=KeyRightsQuery(methodcaller("privatePostGetApiKeyInfo"), kraken_rights),
)
