"""The administrative API: accounts, deposits, faults, prices and filters, behind the token in the state folder."""

import hmac
import math

import msgspec

from infra.sandbox.api.binance_json import Json
from infra.sandbox.api.params import Params
from infra.sandbox.errors import ExchangeError
from infra.sandbox.faults import FaultInjector, FaultPlan
from infra.sandbox.fixed_point import SCALE
from infra.sandbox.market_data.order_flow import SyntheticFlow
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market_filters import FilterError, filters_json
from infra.sandbox.streams.hub import StreamHub
from infra.sandbox.streams.user_socket import UserStreams

MAX_NAME = 200


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An account to create, unless one of that name exists."""

    name: str
    balances: dict[str, str] = {}


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """A deposit to an account, paid once for each key."""

    name: str
    currency: str
    amount: str
    key: str


class PriceMove(msgspec.Struct, forbid_unknown_fields=True):
    """The new synthetic price of a market."""

    market: str
    price: str


class FilterChange(msgspec.Struct, forbid_unknown_fields=True):
    """Some filters of a market as they are from now on, in the form of `exchangeInfo`."""

    market: str
    filters: list[dict[str, str | int | bool]]


class Admin:
    """Handles the administrator's requests."""

    def __init__(
        self, token: str, exchange: Exchange, flows: dict[str, SyntheticFlow], hub: StreamHub, streams: UserStreams
    ) -> None:
        self._token = token
        self._exchange = exchange
        self._flows = flows
        self._hub = hub
        self._streams = streams

    def handle(self, action: str, authorization: str, body: bytes, faults: FaultInjector) -> Json:
        """Carry out `action`; raises `ExchangeError` for a wrong token, action or body."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            raise ExchangeError(-2015, "Invalid administrator token.", 401)
        try:
            return self._dispatch(action, body, faults)
        except msgspec.ValidationError as error:
            raise ExchangeError(-1102, str(error)) from None
        except msgspec.DecodeError:
            raise ExchangeError(-1102, "The body must be JSON.") from None

    def _dispatch(self, action: str, body: bytes, faults: FaultInjector) -> Json:
        if action == "currencies":
            return {"currencies": self._exchange.listed_assets()}
        if action == "accounts":
            return self._create_account(msgspec.json.decode(body, type=NewAccount))
        if action == "deposits":
            return self._deposit(msgspec.json.decode(body, type=Deposit))
        if action == "misbehave":
            return self._inject_faults(msgspec.json.decode(body, type=FaultPlan), faults)
        if action == "price":
            return self._move_price(msgspec.json.decode(body, type=PriceMove))
        if action == "filters":
            return self._change_filters(msgspec.json.decode(body, type=FilterChange))
        raise ExchangeError(-1000, f"There is no /admin/{action}.", 404)

    def _create_account(self, request: NewAccount) -> Json:
        if not 0 < len(request.name) <= MAX_NAME:
            raise ExchangeError(-1102, f"An account's name has 1 to {MAX_NAME} characters.")
        balances = {asset: _amount(asset, text) for asset, text in request.balances.items()}
        account = self._exchange.create_account(request.name, balances)
        return {"apiKey": account.api_key, "secret": account.secret, "uid": account.uid}

    def _deposit(self, request: Deposit) -> Json:
        account = self._exchange.account_by_name(request.name)
        if account is None:
            raise ExchangeError(-1102, f"There is no account named {request.name!r}.", 404)
        amount = _amount(request.currency, request.amount)
        return {"deposited": self._exchange.deposit(account, request.currency, amount, request.key)}

    def _inject_faults(self, plan: FaultPlan, faults: FaultInjector) -> Json:
        faults.add(plan)
        self._hub.silent = faults.silent
        for market in self._exchange.markets.values():
            market.candle_faults.add(plan.falsify_minutes, plan.hide_minutes)
        if plan.drift_ms is not None:
            self._exchange.clock.drift_ms = plan.drift_ms
        dropped = self._hub.drop_all() if plan.drop_market_streams else 0
        dropped += self._streams.drop_all() if plan.drop_user_streams else 0
        return faults.pending() | {"dropped": dropped, "streams": self._hub.streams()}

    def _move_price(self, request: PriceMove) -> Json:
        market = self._exchange.market(request.market.replace("/", ""))
        flow = self._flows.get(market.spec.symbol)
        price = Params({"price": request.price}).amount("price") / SCALE
        if flow is None or not 0 < price < math.inf:
            raise ExchangeError(-1102, "A price above 0 of a market with synthetic flow can be set.")
        flow.move_to(price)
        flow.step()
        self._exchange.flush()
        return {"market": market.spec.symbol, "lastPrice": str(market.last_price / SCALE)}

    def _change_filters(self, request: FilterChange) -> Json:
        market = self._exchange.market(request.market.replace("/", ""))
        try:
            self._exchange.change_filters(market, request.filters)
        except FilterError as error:
            raise ExchangeError(-1102, f"{error}.") from None
        return {"market": market.spec.symbol, "filters": filters_json(market.spec)}


def _amount(asset: str, text: str) -> int:
    """Return a deposit in units of 1e-8."""
    if not text:
        raise ExchangeError(-1102, f"The amount of {asset} is empty.")
    return Params({asset: text}).amount(asset)
