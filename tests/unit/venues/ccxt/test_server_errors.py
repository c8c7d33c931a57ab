import asyncio
import json
from collections.abc import Mapping

import pytest

from domain.ports.execution_client import OutcomeUnknown, VenueRefused
from infra.clock import SystemClock
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.errors import command_error
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.limiters import RateLimiters
from tests.support.waiting import PATIENCE_SECONDS

REJECTIONS: dict[str, Mapping[str, object]] = {
    "binance": {"code": -2010, "msg": "Account has insufficient balance for requested action."},
    "kraken": {"error": ["EOrder:Insufficient funds"]},
    "okx": {"code": "1", "data": [{"sCode": "51008", "sMsg": "Insufficient balance"}], "msg": ""},
    "bybit": {"retCode": 170131, "retMsg": "Balance insufficient"},
}
"""What each venue answers to an order that it rejects, by its documentation."""


async def outcome_of(venue: str, status: int) -> VenueRefused | OutcomeUnknown:
    """Return how the engine takes the venue's rejection if it comes with an HTTP status."""
    clock, settings = SystemClock(), VenueSettings(venue, venue, None, live=True)
    limiter = RateLimiters(clock).get(settings)
    exchange = new_exchange(await exchange_class(settings), settings, VenueClock(clock), limiter)
    answer = REJECTIONS[venue]
    body = json.dumps(answer)
    try:
        with pytest.raises(Exception, match=r".") as caught:
            exchange.handle_errors(status, "status", "https://venue.example", "POST", {}, body, answer, {}, "")
    finally:
        await exchange.close()
    return command_error(caught.value, may_have_left=True)


@pytest.mark.parametrize("venue", REJECTIONS)
async def test_a_rejection_is_definite(venue: str) -> None:
    assert isinstance(await asyncio.wait_for(outcome_of(venue, 400), PATIENCE_SECONDS), VenueRefused)


@pytest.mark.parametrize("venue", REJECTIONS)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_no_body_of_a_server_error_proves_that_an_order_is_absent(venue: str, status: int) -> None:
    assert isinstance(await outcome_of(venue, status), OutcomeUnknown)
