"""The administrative address: accounts, deposits, faults and prices, behind the token in the state folder."""

import hmac
import math

import msgspec

from infra.sandbox.api.binance_json import Json
from infra.sandbox.api.params import Params
from infra.sandbox.errors import ExchangeError
from infra.sandbox.faults import FaultInjector, FaultPlan
from infra.sandbox.fixed_point import SCALE
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.simulation.order_flow import SyntheticFlow
from infra.sandbox.streams.hub import Hub
from infra.sandbox.streams.user_socket import UserStreams

MAX_NAME = 200


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An account to be made, unless one of that name exists."""

    name: str
    balances: dict[str, str] = {}


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """Money for an account; the same key is paid once."""

    name: str
    currency: str
    amount: str
    key: str


class PriceMove(msgspec.Struct, forbid_unknown_fields=True):
    """Where the synthetic price of a market is to go."""

    market: str
    price: str


class Admin:
    """What an administrator may do."""

    def __init__(
        self, token: str, exchange: Exchange, flows: dict[str, SyntheticFlow], hub: Hub, streams: UserStreams
    ) -> None:
        self._token = token
        self._exchange = exchange
        self._flows = flows
        self._hub = hub
        self._streams = streams

    def answer(self, action: str, authorization: str, body: bytes, faults: FaultInjector) -> Json:
        """Do what `action` names; raise where the token, the action or the body is wrong."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            raise ExchangeError(-2015, "Invalid administrator token.", 401)
        try:
            return self._do(action, body, faults)
        except msgspec.ValidationError as error:
            raise ExchangeError(-1102, str(error)) from None
        except msgspec.DecodeError:
            raise ExchangeError(-1102, "The body must be JSON.") from None

    def _do(self, action: str, body: bytes, faults: FaultInjector) -> Json:
        if action == "currencies":
            return {"currencies": self._exchange.listed_assets()}
        if action == "accounts":
            return self._create_account(msgspec.json.decode(body, type=NewAccount))
        if action == "deposits":
            return self._deposit(msgspec.json.decode(body, type=Deposit))
        if action == "misbehave":
            return self._misbehave(msgspec.json.decode(body, type=FaultPlan), faults)
        if action == "price":
            return self._move_price(msgspec.json.decode(body, type=PriceMove))
        raise ExchangeError(-1000, f"There is no /admin/{action}.", 404)

    def _create_account(self, wanted: NewAccount) -> Json:
        if not 0 < len(wanted.name) <= MAX_NAME:
            raise ExchangeError(-1102, f"An account's name has 1 to {MAX_NAME} characters.")
        balances = {asset: _amount(asset, text) for asset, text in wanted.balances.items()}
        account = self._exchange.create_account(wanted.name, balances)
        return {"apiKey": account.api_key, "secret": account.secret, "uid": account.uid}

    def _deposit(self, wanted: Deposit) -> Json:
        account = self._exchange.account_named(wanted.name)
        if account is None:
            raise ExchangeError(-1102, f"There is no account named {wanted.name!r}.", 404)
        amount = _amount(wanted.currency, wanted.amount)
        return {"deposited": self._exchange.deposit(account, wanted.currency, amount, wanted.key)}

    def _misbehave(self, told: FaultPlan, faults: FaultInjector) -> Json:
        faults.instruct(told)
        self._hub.silent = faults.silent
        for market in self._exchange.markets.values():
            market.misreports.add(told.falsify_minutes, told.hide_minutes)
        if told.drift_ms is not None:
            self._exchange.clock.drift_ms = told.drift_ms
        dropped = self._hub.drop_all() if told.drop_market_streams else 0
        dropped += self._streams.drop_all() if told.drop_user_streams else 0
        return faults.view() | {"dropped": dropped, "streams": self._hub.streams()}

    def _move_price(self, wanted: PriceMove) -> Json:
        market = self._exchange.market(wanted.market.replace("/", ""))
        flow = self._flows.get(market.spec.symbol)
        price = Params({"price": wanted.price}).amount("price") / SCALE
        if flow is None or not 0 < price < math.inf:
            raise ExchangeError(-1102, "A price above 0 of a market with synthetic flow can be set.")
        flow.move_to(price)
        flow.step()
        self._exchange.flush()
        return {"market": market.spec.symbol, "lastPrice": str(market.last_price / SCALE)}


def _amount(asset: str, text: str) -> int:
    """Return a deposit in units of 1e-8."""
    if not text:
        raise ExchangeError(-1102, f"The amount of {asset} is empty.")
    return Params({asset: text}).amount(asset)
