"""Authenticates a request by its API key, its signature and its timestamp.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security.
"""

import hmac
import re

from infra.sandbox.api.params import Params
from infra.sandbox.errors import ExchangeError, MissingParameterError
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.state.store import Account

DEFAULT_WINDOW_MS = 5000
MAX_WINDOW_MS = 60_000
AHEAD_MS = 1000
API_KEY = re.compile(r"^[A-Za-z0-9_-]{1,128}$")
_SIGNATURE = re.compile(r"(^|&)signature=[^&]*")


def rest_payload(query: str, body: str) -> str:
    """Return the payload that a REST request signs: its query and its body as sent, less the signature."""
    return _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)


def websocket_payload(values: dict[str, str]) -> str:
    """Return the payload that a WebSocket API request signs: its parameters sorted by name, less the signature."""
    return "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")


def key_holder(exchange: Exchange, api_key: str) -> Account:
    """Return the account of an API key; raises -2014 or -2015 if there is none."""
    if not API_KEY.match(api_key):
        raise ExchangeError(-2014, "API-key format invalid.", 401)
    account = exchange.account_by_key(api_key)
    if account is None:
        raise ExchangeError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return account


def check_signature(account: Account, payload: str, params: Params, now_ms: int) -> None:
    """Raise unless `payload` was signed with the account's secret, recently by the venue's clock `now_ms`."""
    signature = params.required("signature")
    expected = hmac.digest(account.secret.encode(), payload.encode(), "sha256").hex()
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise ExchangeError(-1022, "Signature for this request is not valid.")
    sent_ms, window_ms = params.number("timestamp"), _window(params)
    if sent_ms is None:
        raise MissingParameterError("timestamp")
    if sent_ms >= now_ms + AHEAD_MS:
        raise ExchangeError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent_ms > window_ms:
        raise ExchangeError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window(params: Params) -> float:
    text = params.get("recvWindow") or str(DEFAULT_WINDOW_MS)
    try:
        window_ms = float(text)
    except ValueError:
        raise MissingParameterError("recvWindow") from None
    if not 0 <= window_ms <= MAX_WINDOW_MS:
        raise ExchangeError(-1131, "recvWindow must be less than 60000.")
    return window_ms
