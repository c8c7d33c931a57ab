"""Sums of trades by minute and price, which volume profiles are made of."""

from alembic import op

revision = "0003"
down_revision = "0002"

# The number of digits is `domain.indicators.volume_profile.SIGNIFICANT_DIGITS`. A price just below a power of ten may
# be taken for it in floating point, and is then cut one digit shorter, to a step that the others are multiples of.
SUMMED_PRICE = """
CREATE FUNCTION summed_price(price numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN price > 0 THEN trunc(price, 4 - floor(log(price::float8))::integer) ELSE 0 END
"""
MINUTE_VOLUMES = """
CREATE TABLE minute_volumes (
    market text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    price numeric NOT NULL,
    bought numeric NOT NULL,
    sold numeric NOT NULL,
    PRIMARY KEY (market, minute, price)
) PARTITION BY RANGE (minute)
"""
# Each month that has trades gets its sums; the partitions are named as `infra.postgres.partitions` names them.
PARTITIONS = """
DO $$
DECLARE month date;
BEGIN
    FOR month IN SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC') FROM trades LOOP
        EXECUTE format(
            'CREATE TABLE minute_volumes_%s PARTITION OF minute_volumes FOR VALUES FROM (%L) TO (%L)',
            to_char(month, 'YYYY_MM'), month::text || ' 00:00:00+00',
            (month + interval '1 month')::date::text || ' 00:00:00+00'
        );
    END LOOP;
END $$
"""
SUMS = """
INSERT INTO minute_volumes (market, minute, price, bought, sold)
SELECT market, date_trunc('minute', at) AS minute, summed_price(price) AS cut,
    coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0), coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0)
FROM trades GROUP BY market, minute, cut
"""


def upgrade() -> None:
    for statement in (SUMMED_PRICE, MINUTE_VOLUMES, PARTITIONS, SUMS):
        op.execute(statement)
