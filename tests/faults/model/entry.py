"""Has the trading sessions of a run enter, so that faults find positions to protect."""

from typing import Any

from tests.faults.model.remaining import remaining
from tests.faults.model.stage import Stage
from tests.faults.model.trader import Trader
from tests.support.waiting import read_until

_ENTRY_CANDLES = 3
_ENTRY_SECONDS = 30


async def enter(stage: Stage, traders: list[Trader]) -> None:
    """Let a candle close, so that each trading session enters: faults are to find positions to protect.

    Where a busy machine rightly didn't send an entry in time, the session enters at a later candle.
    """
    for trader in traders:
        await read_until(trader.sessions, _all_run, "the trading session runs")

    async def without_position() -> list[str]:
        return [trader.session for trader in traders if not await trader.open_positions()]

    for _ in range(_ENTRY_CANDLES):
        await stage.venue.next_minute()
        left = await remaining(without_position, _ENTRY_SECONDS)
        if not left:
            return
    raise AssertionError(f"trading sessions that haven't entered at {_ENTRY_CANDLES} candles: {left}")


def _all_run(sessions: list[dict[str, Any]]) -> bool:
    return all(session["status"] == "RUNNING" for session in sessions)
