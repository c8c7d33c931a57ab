"""What API keys may do, as each venue says it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from infra.venues.ccxt.conversion import CcxtValue


@dataclass(frozen=True, slots=True)
class KeyRights:
    """Whether a key may trade on the spot market, whether it may take money out, and whether addresses bind it.

    `is_bound` is None where the venue doesn't say.
    """

    may_trade: bool
    may_withdraw: bool
    is_bound: bool | None = None


class KeyRightsQuery(NamedTuple):
    """The request to ccxt's exchange, and how its answer is read."""

    request: Callable[[CcxtValue], Awaitable[CcxtValue]]
    read: Callable[[CcxtValue], KeyRights]


def binance_rights(answer: CcxtValue) -> KeyRights:
    """Read https://developers.binance.com/docs/wallet/account/api-key-permission."""
    return KeyRights(
        may_trade=bool(answer["enableSpotAndMarginTrading"]),
        may_withdraw=bool(answer["enableWithdrawals"]),
        is_bound=bool(answer["ipRestrict"]),
    )


def bybit_rights(answer: CcxtValue) -> KeyRights:
    """Read https://bybit-exchange.github.io/docs/v5/user/apikey-info; `*` stands for any address."""
    result = answer["result"]
    permissions = result["permissions"]
    writes = str(result["readOnly"]) == "0"
    return KeyRights(
        may_trade=writes and "SpotTrade" in (permissions.get("Spot") or []),
        may_withdraw=writes and "Withdraw" in (permissions.get("Wallet") or []),
        is_bound=bool(result.get("ips")) and "*" not in result["ips"],
    )


def okx_rights(answer: CcxtValue) -> KeyRights:
    """Read https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration."""
    data = answer["data"][0]
    permissions = {permission.strip() for permission in data["perm"].split(",")}
    return KeyRights("trade" in permissions, "withdraw" in permissions, bool(data.get("ip")))


def coinbase_rights(answer: CcxtValue) -> KeyRights:
    """Read https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/data-api/get-api-key-permissions."""
    return KeyRights(bool(answer["can_trade"]), bool(answer["can_transfer"]))


def kraken_rights(answer: CcxtValue) -> KeyRights:
    """Read https://docs.kraken.com/api-reference/account-data/get-api-key-info."""
    result = answer["result"]
    permissions: list[str] = result["permissions"]
    bound = bool(result["ip_allowlist"]) if "ip_allowlist" in result else None
    return KeyRights("modify-trades" in permissions, any(name.startswith("withdraw") for name in permissions), bound)
