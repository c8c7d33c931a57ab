"""What is asked for with an order beside itself: its protection (a bracket) or its trailing distance; validation."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from domain.core.errors import ErrorCode, InputError
from domain.core.money import ZERO, is_multiple, plain
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType
from domain.model.protection import ExitLevel, ProtectAt, ProtectionRules
from domain.model.venue_abilities import VenueAbilities
from domain.rules.order_request import OrderRequest
from domain.rules.resting_protection import venue_errors

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class BracketRequest:
    """The `stopLoss`, `takeProfit` and `protectAt` of `orderPlace`; at least one of the first two is set."""

    stop_loss: ExitLevel | None = None
    take_profit: ExitLevel | None = None
    protect_at: ProtectAt = ProtectAt.BEST

    @property
    def rules(self) -> ProtectionRules:
        """What is to close what the order buys."""
        return ProtectionRules(stop_loss=self.stop_loss, take_profit=self.take_profit)


def validate_bracket(
    request: OrderRequest,
    bracket: BracketRequest,
    market: Market | None,
    ask: Decimal | None,
    abilities: VenueAbilities | None,
) -> list[InputError]:
    """Return all errors of the protection of an order; `ask` is the best price at which one can buy now, if known."""
    stop, profit = bracket.stop_loss is not None, bracket.take_profit is not None
    venue, path = request.market.venue, ("input", "protectAt")
    entry = request.price or request.stop_price or ask
    levels = (("stopLoss", bracket.stop_loss, -1), ("takeProfit", bracket.take_profit, 1))
    return [
        *_order_errors(request, bracket),
        *venue_errors(bracket.protect_at, venue, abilities, path, stop=stop, profit=profit),
        *(
            error
            for field, level, sign in levels
            if level is not None
            for error in level_errors(field, level, sign, entry, market)
        ),
    ]


def validate_trail(type_: OrderType, trail: ExitLevel | None, best: Decimal | None = None) -> list[InputError]:
    """Return all errors of the `trailing` of an order; `best` is the price from which a SELL falls, if it is known."""
    if trail is None:
        return []
    if type_ is not OrderType.TRAILING_STOP:
        return [_error("trailing", f"trailing belongs to a TRAILING_STOP alone, not to a {type_}.")]
    return [*trail_errors(trail, best, "trailing")]


def trail_errors(trail: ExitLevel, best: Decimal | None, field: str = "trailingStop") -> Iterator[InputError]:
    """Yield the errors of the distance of a trailing stop; `best` is the price from which it falls, if it is known."""
    distance = trail.absolute if trail.percent is None else trail.percent
    if distance is None or distance <= ZERO:
        yield _error(field, f"The distance of {field} is {plain(distance or ZERO)} and must be above 0.")
    elif trail.percent is not None and trail.percent >= _HUNDRED:
        yield _error(field, f"The distance of {field} is {plain(distance)} percent and must be below 100.")
    elif trail.absolute is not None and best is not None and trail.absolute >= best:
        yield _error(
            field, f"The distance of {field} is {plain(distance)} and must be below the price of {plain(best)}."
        )


def _order_errors(request: OrderRequest, bracket: BracketRequest) -> Iterator[InputError]:
    field = "stopLoss" if bracket.stop_loss is not None else "takeProfit"
    if request.side is OrderSide.SELL:
        message = "Only an order that buys can be protected: a spot market knows no short position."
        yield _error(field, message, ErrorCode.UNSUPPORTED)
    elif request.reduce_only:
        yield _error(field, "A reduce-only order opens no position that could be protected.")
    elif request.type is OrderType.TRAILING_STOP:
        message = "A TRAILING_STOP has no entry price to measure from; protect its position once it has filled."
        yield _error(field, message, ErrorCode.UNSUPPORTED)


def level_errors(
    field: str, level: ExitLevel, sign: int, entry: Decimal | None, market: Market | None
) -> Iterator[InputError]:
    """Yield the errors of a level that must lie above (`sign` 1) or below (-1) a price, if that is known."""
    if level.percent is not None:
        if level.percent <= ZERO:
            yield _error(field, f"The {field} is {plain(level.percent)} percent and must be above 0.")
        elif sign < 0 and level.percent >= _HUNDRED:
            yield _error(field, f"A {field} of {plain(level.percent)} percent is never reached; it must be below 100.")
        return
    price = level.price
    if price is None or price <= ZERO:
        yield _error(field, f"The {field} is {plain(price or ZERO)} and must be above 0.")
    elif market is not None and not is_multiple(price, market.price_increment):
        step = plain(market.price_increment)
        yield _error(field, f"The {field} {plain(price)} is not a multiple of the market's {step}.")
    elif entry is not None and (price - entry) * sign <= ZERO:
        side = "above" if sign > 0 else "below"
        yield _error(field, f"The {field} {plain(price)} must be {side} the price of {plain(entry)}.")


def _error(field: str, message: str, code: ErrorCode = ErrorCode.INVALID) -> InputError:
    return InputError(code, message, ("input", field))
