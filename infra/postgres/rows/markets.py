"""Statements for market data, and the conversion of markets to rows and back."""

from asyncpg import Record

from domain.model.markets import Market
from domain.model.order_side import OrderSide
from infra.postgres.rows.columns import market_symbol, members_by_value

SELECT_MARKETS = """
SELECT symbol, base, quote, active, price_increment, quantity_increment, minimum_quantity, maximum_quantity,
    minimum_notional, maker_fee, taker_fee, maximum_market_quantity, minimum_market_quantity, notional_at_market
FROM markets ORDER BY venue, symbol"""
# The venues' other markets are read as they were before the statement: they are just those that are not among $1.
SAVE_MARKETS = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::numeric[], $7::numeric[],
        $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[],
        $15::boolean[])
        AS given (symbol, venue, base, quote, active, price_increment, quantity_increment, minimum_quantity,
            maximum_quantity, minimum_notional, maker_fee, taker_fee, maximum_market_quantity, minimum_market_quantity,
            notional_at_market)
), gone AS (
    UPDATE markets SET active = false WHERE active AND venue = ANY ($2) AND symbol <> ALL ($1)
)
INSERT INTO markets (symbol, venue, base, quote, active, price_increment, quantity_increment, minimum_quantity,
    maximum_quantity, minimum_notional, maker_fee, taker_fee, maximum_market_quantity, minimum_market_quantity,
    notional_at_market)
SELECT * FROM given
ON CONFLICT (symbol) DO UPDATE SET venue = excluded.venue, base = excluded.base, quote = excluded.quote,
    active = excluded.active, price_increment = excluded.price_increment,
    quantity_increment = excluded.quantity_increment, minimum_quantity = excluded.minimum_quantity,
    maximum_quantity = excluded.maximum_quantity, minimum_notional = excluded.minimum_notional,
    maker_fee = excluded.maker_fee, taker_fee = excluded.taker_fee,
    maximum_market_quantity = excluded.maximum_market_quantity,
    minimum_market_quantity = excluded.minimum_market_quantity, notional_at_market = excluded.notional_at_market
WHERE markets.* IS DISTINCT FROM excluded.*"""

CANDLE_NAMES = ("open_time", "open", "high", "low", "close", "volume")
SELECT_CANDLES = f"SELECT {', '.join(CANDLE_NAMES)} FROM candles"
# The inner query is ordered, and string_agg keeps the order of its input.
CANDLE_COLUMNS = f"""
SELECT string_agg(to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ' '),
    {", ".join(f"string_agg(trim_scale({name})::text, ' ')" for name in CANDLE_NAMES[1:])}
FROM"""
# Columns come as lines of text: the driver looks at each element of an array for a microsecond, at a text once.
_INSERT_CANDLES = """
INSERT INTO candles (market, timeframe, open_time, open, high, low, close, volume)
SELECT market, timeframe, open_time::timestamptz, open::numeric, high::numeric, low::numeric, close::numeric,
    volume::numeric
FROM unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)), string_to_array($3, chr(10)),
    string_to_array($4, chr(10)), string_to_array($5, chr(10)), string_to_array($6, chr(10)),
    string_to_array($7, chr(10)), string_to_array($8, chr(10)))
    AS given (market, timeframe, open_time, open, high, low, close, volume)
ON CONFLICT (market, timeframe, open_time) DO"""
INSERT_CANDLES = f"{_INSERT_CANDLES} NOTHING"
UPSERT_CANDLES = f"""{_INSERT_CANDLES} UPDATE SET open = excluded.open, high = excluded.high,
    low = excluded.low, close = excluded.close, volume = excluded.volume
WHERE (candles.open, candles.high, candles.low, candles.close, candles.volume)
    IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)"""
# The candle before a gap is found with the one after it; the period's own beginning stands for one that ends there.
CANDLE_GAPS = """
SELECT ended, opened FROM (
    SELECT lag(open_time + $5::interval, 1, $3) OVER (ORDER BY open_time) AS ended, open_time AS opened FROM (
        SELECT open_time FROM candles WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4
        UNION ALL SELECT $4
    ) AS stored
) AS neighbours WHERE ended < opened ORDER BY opened"""

SELECT_TRADES = "SELECT venue_trade_id, at, price, quantity, side FROM trades"
# What is new is added to the sums of its minute: prices cut to five significant digits (`SIGNIFICANT_DIGITS`).
SAVE_TRADES = """
WITH stored AS (
    INSERT INTO trades (market, at, venue_trade_id, price, quantity, side)
    SELECT market, at, venue_trade_id, price::numeric, quantity::numeric, side
    FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS given (market, at, venue_trade_id, price, quantity, side)
    ON CONFLICT (market, at, venue_trade_id) DO NOTHING
    RETURNING market, at, price, quantity, side
)
INSERT INTO minute_volumes (market, minute, price, bought, sold)
SELECT market, date_trunc('minute', at) AS minute, summed_price(price) AS cut,
    coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0), coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0)
FROM stored GROUP BY market, minute, cut
ORDER BY market, minute, cut
ON CONFLICT (market, minute, price) DO UPDATE SET bought = minute_volumes.bought + excluded.bought,
    sold = minute_volumes.sold + excluded.sold"""

SAVE_DEPTH = """
INSERT INTO depth_snapshots (market, at, epoch, sequence, venue_time, bids, asks)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[], $5::timestamptz[], $6::jsonb[],
    $7::jsonb[])
ON CONFLICT (market, at, epoch, sequence) DO NOTHING"""

SIDES = members_by_value(OrderSide)


def market_from_row(row: Record) -> Market:
    """Return the market in a row of `SELECT_MARKETS`."""
    return Market(
        symbol=market_symbol(row["symbol"]),
        base=row["base"],
        quote=row["quote"],
        active=row["active"],
        price_increment=row["price_increment"],
        quantity_increment=row["quantity_increment"],
        minimum_quantity=row["minimum_quantity"],
        maximum_quantity=row["maximum_quantity"],
        minimum_notional=row["minimum_notional"],
        maker_fee=row["maker_fee"],
        taker_fee=row["taker_fee"],
        maximum_market_quantity=row["maximum_market_quantity"],
        minimum_market_quantity=row["minimum_market_quantity"],
        notional_at_market=row["notional_at_market"],
    )


def market_params(market: Market) -> tuple[object, ...]:
    """Return the parameters of `SAVE_MARKETS` for one market, in the order of its columns."""
    return (
        str(market.symbol),
        market.symbol.venue,
        market.base,
        market.quote,
        market.active,
        market.price_increment,
        market.quantity_increment,
        market.minimum_quantity,
        market.maximum_quantity,
        market.minimum_notional,
        market.maker_fee,
        market.taker_fee,
        market.maximum_market_quantity,
        market.minimum_market_quantity,
        market.notional_at_market,
    )
