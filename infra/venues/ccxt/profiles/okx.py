"""OKX: https://www.okx.com/docs-v5/en/#error-code."""

from collections.abc import Iterator, Mapping
from operator import methodcaller
from typing import Any

from domain.core.clock import from_milliseconds
from domain.core.money import EXACT
from domain.model.client_order_ids import OrderIdForm
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType, TimeInForce
from domain.model.trading import Balance
from domain.model.venue_abilities import AmendAbility
from domain.ports.execution_client import BalanceReport, FillReport, OrderReport
from infra.venues.ccxt.conversion import CcxtValue, OrderReading, decimal, number, positive, required
from infra.venues.ccxt.profiles.fill_pages import OKX_PAGE, by_bill
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery, okx_rights
from infra.venues.ccxt.profiles.lookups import by_request
from infra.venues.ccxt.profiles.profile import OrderFills, VenueProfile
from infra.venues.ccxt.profiles.user_streams import (
    Message,
    StreamEvent,
    StreamRefused,
    Subscribed,
    UserStreams,
    VenueNames,
)
from infra.venues.ccxt.profiles.verdicts import ErrorTable, VenueError, Verdict, same, text

_STATUSES = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
    "order_failed": OrderStatus.REJECTED,
}
_SUCCESS = "0"


def read_errors(body: Mapping[str, Any]) -> Iterator[VenueError]:
    """Yield the errors of the rows of a body, and its own; ccxt takes some of them for an order without an id."""
    rows = body.get("data")
    for row in rows if isinstance(rows, list) else []:
        code = text(row.get("sCode")) if isinstance(row, Mapping) else ""
        if code not in {"", _SUCCESS}:
            yield VenueError(code, text(row.get("sMsg")))
    code = text(body.get("code"))
    if code not in {"", _SUCCESS, "1", "2"}:
        yield VenueError(code, text(body.get("msg")))


def okx_streams(names: VenueNames) -> UserStreams:
    """Return the reader of a new connection: the channel of orders has the fills too."""

    def read(message: Message) -> list[StreamEvent] | None:
        if message.get("event") == "error":
            raise StreamRefused(f"{message.get('msg')} ({message.get('code')})"[:200])
        topic = str((message.get("arg") or {}).get("channel"))
        if message.get("event") == "subscribe":
            return [Subscribed(topic)]
        if topic == "orders":
            return [event for data in message.get("data") or [] for event in _order_events(data, names)]
        if topic == "account":
            return [_balances(data, names) for data in message.get("data") or []]
        return None

    return UserStreams(read, frozenset({"orders", "account"}))


def _order_events(data: Mapping[str, Any], names: VenueNames) -> Iterator[StreamEvent]:
    market = names.market(data["instId"])
    if market is None:
        return
    kind = OrderType.MARKET if data["ordType"] == "market" else OrderType.LIMIT
    in_quote = kind is OrderType.MARKET and data.get("tgtCcy") == "quote_ccy"
    filled = number(data.get("accFillSz"))
    yield OrderReport(
        market=market,
        client_order_id=names.order_id(data.get("clOrdId")),
        venue_order_id=str(data["ordId"]),
        status=_STATUSES.get(str(data["state"]), OrderStatus.OPEN),
        side=OrderSide(data["side"].upper()),
        type=kind,
        quantity=filled if in_quote else number(data["sz"]),
        filled_quantity=filled,
        price=decimal(data.get("px")) if kind.has_price else None,
        stop_price=None,
        at=from_milliseconds(int(data["uTime"])),
        fills=(_fill(data, market, names),) if data.get("tradeId") and number(data.get("fillSz")) else (),
    )


def _fill(data: Mapping[str, Any], market: MarketSymbol, names: VenueNames) -> FillReport:
    currency = data.get("fillFeeCcy") or data.get("feeCcy")
    return FillReport(
        market=market,
        venue_order_id=str(data["ordId"]),
        client_order_id=names.order_id(data.get("clOrdId")) or None,
        venue_trade_id=str(data["tradeId"]),
        at=from_milliseconds(int(data["fillTime"])),
        side=OrderSide(data["side"].upper()),
        price=positive(data["fillPx"]),
        quantity=positive(data["fillSz"]),
        # The venue writes what it charges as a negative number.
        fee=EXACT.minus(number(data.get("fillFee"))),
        fee_currency=names.currency(currency) if currency else "",
        maker={"M": True, "T": False}.get(str(data.get("execType"))),
    )


def _balances(data: Mapping[str, Any], names: VenueNames) -> BalanceReport:
    at = from_milliseconds(int(data["uTime"])) if data.get("uTime") else None
    return BalanceReport(
        tuple(
            Balance(names.currency(row["ccy"]), required(row.get("eq")), decimal(row.get("availBal")), at)
            for row in data.get("details") or []
        )
    )


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a server at `url`."""
    return {"rest": url, "ws": f"{url.replace('http', 'ws', 1)}/ws/v5"}


PROFILE = VenueProfile(
    ccxt_id="okx",
    reading=OrderReading(OrderIdForm.HEXADECIMAL, "state", _STATUSES),
    placing_id="clientOrderId",
    cancel_id="clOrdId",
    lookup=by_request("clOrdId"),
    fill_pages=by_bill,
    order_fills=OrderFills("ordId", OKX_PAGE),
    errors=ErrorTable(
        read_errors,
        {
            "51": Verdict.REFUSED,
            **same(Verdict.REFUSED, "50036", "50037"),
            **same(Verdict.UNKNOWN, "50001", "50004", "50005", "50013", "50026", "51149", "51054", "51016"),
            **same(Verdict.BUSY, "50011", "50040", "50061", "51113"),
            **same(Verdict.CLOCK, "50102", "50112"),
            **same(Verdict.ABSENT, "51400", "51401", "51402", "51603"),
            **same(Verdict.CREDENTIALS, "50103", "50104", "50105", "50111", "50113", "50119"),
        },
        {429: Verdict.BUSY},
    ),
    order_types=(OrderType.MARKET, OrderType.LIMIT),
    times_in_force=(TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD),
    api_urls=api_urls,
    amend=AmendAbility.IN_PLACE,
    reader=okx_streams,
    streams=(methodcaller("watch_orders"), methodcaller("watch_balance")),
    options={"createOrder": "privatePostTradeOrder", "fetchMarkets": {"types": ["spot"]}},
    deadline_header="expTime",
    key_rights=KeyRightsQuery(methodcaller("privateGetAccountConfig"), okx_rights),
)
