"""A sandbox exchange that mirrors a live venue, as a program of its own: `python -m infra.cli.mirror`.

The sandbox knows no venue and the venues know no sandbox; here they meet. Only public data is asked for: the
connection is made without credentials.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from infra.clock import SystemClock
from infra.logging import configure_logging
from infra.sandbox.market_data.mirror import LiveVenue
from infra.sandbox.market_data.mirror_markets import CannotMirror
from infra.sandbox.options import SandboxOptions
from infra.sandbox.process import run_exchange, run_sandbox
from infra.setting_types import check_venue, split_commas
from infra.settings import LogFormat
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.market_data import CcxtMarketData
from infra.venues.config import VenueSettings


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """What to mirror: the markets `symbols` of the ccxt venue `venue`.

    `url` replaces the venue's own address; what answers there must speak Binance's protocol.
    """

    venue: str
    url: str | None = None
    symbols: tuple[str, ...] = ()


async def run_mirror(options: SandboxOptions, mirror: MirrorOptions) -> None:
    """Serve a mirror until it is asked to end; raises what `run_sandbox` raises, and `CannotMirror`."""
    _check(mirror)
    clock = SystemClock()
    connection = VenueConnection(VenueSettings(mirror.venue, mirror.venue, mirror.url, live=True), clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        source = CcxtMarketData(connection, clock)
        await run_sandbox(options, LiveVenue(mirror.venue, source, mirror.symbols))


def run_mirror_to_end(options: SandboxOptions, mirror: MirrorOptions, log_format: LogFormat = LogFormat.CONSOLE) -> int:
    """Run a mirror and return the exit code: 2, with the reason printed, if the options can't be used."""
    configure_logging("info", log_format)
    return run_exchange(run_mirror(options, mirror))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the mirror that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m infra.cli.mirror", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--mirror", required=True, help="the ccxt id of the live venue")
    parser.add_argument("--mirror-url", help="another address of the live venue, that speaks Binance's protocol")
    parser.add_argument("--markets", default="", help="such as BTC/USDT,ETH/USDT")
    parser.add_argument("--log-format", type=LogFormat, default=LogFormat.CONSOLE, help="console or json")
    parser.add_argument("--unlimited", action="store_true", help="no rate limits")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    given = parser.parse_args(arguments)
    options = SandboxOptions(
        folder=given.folder, host=given.host, port=given.port, unlimited=given.unlimited,
        exit_with_stdin=given.exit_with_stdin,
    )  # fmt: skip
    mirror = MirrorOptions(given.mirror, given.mirror_url, split_commas(given.markets))
    sys.exit(run_mirror_to_end(options, mirror, given.log_format))


def _check(mirror: MirrorOptions) -> None:
    from ccxt import pro  # noqa: PLC0415  # takes a second, which other programs that import this need not wait for

    try:
        check_venue(mirror.venue)
    except ValueError as error:
        raise CannotMirror(str(error)) from None
    has = getattr(pro, mirror.venue)().has
    missing = [what for what in ("watchOrderBook", "watchTrades", "fetchOHLCV", "fetchTrades") if not has.get(what)]
    if missing:
        raise CannotMirror(f"{mirror.venue} can't be mirrored: ccxt has no {', '.join(missing)} for it")


if __name__ == "__main__":
    main()
