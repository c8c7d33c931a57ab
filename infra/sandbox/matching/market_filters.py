"""A market's filters in Binance's form, as `exchangeInfo` lists them and an administrator changes them.

Source: developers.binance.com/docs/binance-spot-api-docs/filters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra.sandbox.fixed_point import SCALE, format_units, parse_units
from infra.sandbox.matching.market_specs import MarketSpec

ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
FIELDS: dict[str, dict[str, str]] = {
    "PRICE_FILTER": {"minPrice": "min_price", "maxPrice": "max_price", "tickSize": "tick"},
    "LOT_SIZE": {"minQty": "min_quantity", "maxQty": "max_quantity", "stepSize": "step"},
    "ICEBERG_PARTS": {"limit": "max_iceberg_parts"},
    "MARKET_LOT_SIZE": {
        "minQty": "market_min_quantity",
        "maxQty": "market_max_quantity",
        "stepSize": "market_step",
    },
    "TRAILING_DELTA": {
        "minTrailingAboveDelta": "min_trailing_above",
        "maxTrailingAboveDelta": "max_trailing_above",
        "minTrailingBelowDelta": "min_trailing_below",
        "maxTrailingBelowDelta": "max_trailing_below",
    },
    "PERCENT_PRICE_BY_SIDE": {
        "bidMultiplierUp": "bid_up",
        "bidMultiplierDown": "bid_down",
        "askMultiplierUp": "ask_up",
        "askMultiplierDown": "ask_down",
        "avgPriceMins": "percent_minutes",
    },
    "NOTIONAL": {
        "minNotional": "min_notional",
        "applyMinToMarket": "min_applies_to_market",
        "maxNotional": "max_notional",
        "applyMaxToMarket": "max_applies_to_market",
        "avgPriceMins": "notional_minutes",
    },
    "MAX_NUM_ORDERS": {"maxNumOrders": "max_orders"},
    "MAX_NUM_ALGO_ORDERS": {"maxNumAlgoOrders": "max_stop_orders"},
    "MAX_NUM_ICEBERG_ORDERS": {"maxNumIcebergOrders": "max_iceberg_orders"},
    "MAX_NUM_ORDER_LISTS": {"maxNumOrderLists": "max_lists"},
    "MAX_NUM_ORDER_AMENDS": {"maxNumOrderAmends": "max_amends"},
    "MAX_POSITION": {"maxPosition": "max_position"},
}
"""Each filter's names at Binance, and the fields of `MarketSpec` that they stand for."""
OPTIONAL = frozenset({"MAX_POSITION"})
"""Filters that a market without a limit doesn't list."""
MULTIPLIERS = frozenset({"bid_up", "bid_down", "ask_up", "ask_down"})
COUNTS = frozenset({
    "max_iceberg_parts", "percent_minutes", "notional_minutes", "max_orders", "max_stop_orders", "max_iceberg_orders",
    "max_lists", "max_amends", "min_trailing_above", "max_trailing_above", "min_trailing_below", "max_trailing_below",
})  # fmt: skip
HIGHEST_COUNT = 1_000_000
MAX_MINUTES = 60
HIGHEST_AMOUNT = (1 << 63) - 1
"""What the state can hold, in units."""
NEEDED = frozenset({"tick", "step", "min_price", "min_quantity"})
"""Fields that can't be 0: prices and quantities move in steps, from one step on."""


class FilterError(ValueError):
    """A filter that a market can't have; the message says which, and what would be right."""


def symbol_json(spec: MarketSpec) -> dict[str, object]:
    """Return the entry of this market in `exchangeInfo`."""
    return {
        "symbol": spec.symbol,
        "status": "TRADING",
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters_json(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": list(spec.self_trade_modes),
    }


def filters_json(spec: MarketSpec) -> list[dict[str, object]]:
    """Return all filters of a market."""
    return [
        {"filterType": kind} | {name: _shown(spec, field) for name, field in fields.items()}
        for kind, fields in FIELDS.items()
        if kind not in OPTIONAL or all(getattr(spec, field) for field in fields.values())
    ]


def with_filters(spec: MarketSpec, filters: Sequence[Mapping[str, object]]) -> MarketSpec:
    """Return `spec` with some filters changed, named and written as `filters_json` does; raises `FilterError`.

    A filter may have some of its values only: the others stay as they are.
    """
    changes: dict[str, int | bool] = {}
    for given in filters:
        kind = given.get("filterType")
        names = FIELDS.get(kind) if isinstance(kind, str) else None
        if names is None:
            raise FilterError(f"filterType {kind!r} isn't one of {', '.join(FIELDS)}")
        for name, value in given.items():
            if name == "filterType":
                continue
            if name not in names:
                raise FilterError(f"{kind} has no {name!r}; it has {', '.join(names)}")
            changes[names[name]] = _read(f"{kind}.{name}", names[name], value)
    changed = replace(spec, **changes)  # type: ignore[arg-type]  # each name is that of a field of its kind
    for field in NEEDED:
        if not getattr(changed, field):
            raise FilterError(f"{field.replace('_', ' ')} can't be 0")
    return changed


def _shown(spec: MarketSpec, field: str) -> object:
    value = getattr(spec, field)
    if field in MULTIPLIERS:
        whole, rest = divmod(value, SCALE)
        return f"{whole}.{rest:08d}".rstrip("0").rstrip(".")
    return value if field in COUNTS or isinstance(value, bool) else format_units(value)


def _read(where: str, field: str, value: object) -> int | bool:
    if field.endswith("_applies_to_market"):
        if isinstance(value, bool):
            return value
        raise FilterError(f"{where} is {value!r}: it takes true or false")
    if field in COUNTS:
        most = MAX_MINUTES if field.endswith("_minutes") else HIGHEST_COUNT
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return value
        raise FilterError(f"{where} is {value!r}: it takes a whole number from 0 to {most}")
    try:
        units = parse_units(value) if isinstance(value, str) else -1
    except ValueError:
        units = -1
    if not 0 <= units <= HIGHEST_AMOUNT:
        raise FilterError(f'{where} is {value!r}: it takes a text such as "0.01", at most 8 places, up to 92233720368')
    return units
