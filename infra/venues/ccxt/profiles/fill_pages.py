"""How each venue pages through an account's executions; ccxt's `fetch_my_trades` gives one page of each.

Pages may overlap, hold executions of other markets, and come in any order: the caller sorts and filters.
"""

from collections.abc import AsyncIterator, Callable, Sequence

from infra.venues.ccxt.conversion import CcxtStructure, CcxtValue

FillPages = Callable[[CcxtValue, str, int, int], AsyncIterator[Sequence[CcxtStructure]]]
"""Yields the pages of a market's executions from one time to another, in milliseconds since 1970."""

MAXIMUM_PAGES = 1_000
BINANCE_PAGE = 1_000
KRAKEN_PAGE = 50
OKX_PAGE = 100
BYBIT_PAGE = 100
BYBIT_WINDOW_MS = 7 * 86_400_000
COINBASE_PAGE = 250


async def by_time(
    exchange: CcxtValue, symbol: str, since_ms: int, _until_ms: int
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """Binance: oldest first; the next page starts at the last one's end."""
    last: frozenset[str] = frozenset()
    while True:
        page = await exchange.fetch_my_trades(symbol, since_ms, BINANCE_PAGE)
        yield page
        ids = frozenset(row["id"] for row in page)
        if len(page) < BINANCE_PAGE or ids <= last:
            return
        last, since_ms = ids, max(row["timestamp"] for row in page)


async def by_offset(
    exchange: CcxtValue, _symbol: str, since_ms: int, _until_ms: int
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """Kraken: newest first, all markets, by an offset; its start is in whole seconds and excluded."""
    for number in range(MAXIMUM_PAGES):
        page = await exchange.fetch_my_trades(None, since_ms - 1_000, None, {"ofs": number * KRAKEN_PAGE})
        yield page
        if len(page) < KRAKEN_PAGE:
            return


async def by_bill(
    exchange: CcxtValue, symbol: str, since_ms: int, _until_ms: int
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """OKX: newest first, from before the oldest bill of the page before."""
    params: dict[str, str] = {}
    for _ in range(MAXIMUM_PAGES):
        page = await exchange.fetch_my_trades(symbol, since_ms, None, params)
        yield page
        if len(page) < OKX_PAGE:
            return
        params = {"after": str(min(int(row["info"]["billId"]) for row in page))}


async def by_week(
    exchange: CcxtValue, symbol: str, since_ms: int, until_ms: int
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """Bybit: windows of at most seven days, each by a cursor."""
    while since_ms < until_ms:
        end_ms = min(since_ms + BYBIT_WINDOW_MS, until_ms)
        async for page in _by_cursor(exchange, symbol, since_ms, BYBIT_PAGE, "nextPageCursor", {"until": end_ms}):
            yield page
        since_ms = end_ms


async def by_cursor(
    exchange: CcxtValue, symbol: str, since_ms: int, _until_ms: int
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """Coinbase: newest first, by a cursor."""
    async for page in _by_cursor(exchange, symbol, since_ms, COINBASE_PAGE, "cursor", {}):
        yield page


async def _by_cursor(
    exchange: CcxtValue, symbol: str, since_ms: int, limit: int, name: str, params: dict[str, int | str]
) -> AsyncIterator[Sequence[CcxtStructure]]:
    """Yield the pages of a venue whose answers have a cursor; ccxt puts it into one row of the page."""
    cursor = None
    for _ in range(MAXIMUM_PAGES):
        page = await exchange.fetch_my_trades(
            symbol, since_ms, limit, params if cursor is None else {**params, "cursor": cursor}
        )
        yield page
        following = next((row["info"][name] for row in page if row["info"].get(name)), None)
        if following in {None, cursor}:
            return
        cursor = following
