"""What transfers and fills of an account come to, kept as they are written, so that nobody adds all of them up.

Triggers keep it: whoever writes a transfer or a fill, now or in a later version, changes the totals with it.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

TOTALS = """
CREATE TABLE ledger_totals (
    account_id uuid NOT NULL REFERENCES accounts,
    currency text COLLATE "C" NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (account_id, currency)
)
"""
# In the order of the currencies, so that two writers can't deadlock.
OF_FILL = """
CREATE FUNCTION add_fill_to_totals(fill fills, factor integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger_totals AS totals (account_id, currency, amount)
    SELECT (fill).account_id, moved.currency, sum(factor * moved.amount) FROM (VALUES
        (
            split_part(split_part((fill).market, ':', 2), '/', 1),
            CASE (fill).side WHEN 'BUY' THEN (fill).quantity ELSE -(fill).quantity END
        ),
        (
            split_part(split_part((fill).market, ':', 2), '/', 2),
            CASE (fill).side WHEN 'BUY' THEN -(fill).price * (fill).quantity ELSE (fill).price * (fill).quantity END
        ),
        ((fill).fee_currency, -(fill).fee)
    ) AS moved (currency, amount)
    GROUP BY moved.currency ORDER BY moved.currency
    ON CONFLICT (account_id, currency) DO UPDATE SET amount = totals.amount + excluded.amount
$$
"""
OF_TRANSFER = """
CREATE FUNCTION add_transfer_to_totals(transfer account_transfers, factor integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger_totals AS totals (account_id, currency, amount)
    VALUES ((transfer).account_id, (transfer).currency, factor * (transfer).amount)
    ON CONFLICT (account_id, currency) DO UPDATE SET amount = totals.amount + excluded.amount
$$
"""
ON_CHANGE = """
CREATE FUNCTION keep_{what}_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM add_{what}_to_totals(OLD, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM add_{what}_to_totals(NEW, 1);
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE TRIGGER keep_totals AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION keep_{what}_totals()
"""
# After the triggers, which keep other writers away until all of this is committed.
TOTALS_SO_FAR = """
INSERT INTO ledger_totals (account_id, currency, amount)
SELECT account_id, currency, sum(amount) FROM (
    SELECT account_id, currency, amount FROM account_transfers
    UNION ALL
    SELECT account_id, split_part(split_part(market, ':', 2), '/', 1),
        CASE side WHEN 'BUY' THEN quantity ELSE -quantity END FROM fills
    UNION ALL
    SELECT account_id, split_part(split_part(market, ':', 2), '/', 2),
        CASE side WHEN 'BUY' THEN -price * quantity ELSE price * quantity END FROM fills
    UNION ALL
    SELECT account_id, fee_currency, -fee FROM fills
) AS movements GROUP BY account_id, currency
"""


def upgrade() -> None:
    for statement in (TOTALS, OF_FILL, OF_TRANSFER):
        op.execute(statement)
    for what, table in (("fill", "fills"), ("transfer", "account_transfers")):
        op.execute(ON_CHANGE.format(what=what))
        op.execute(TRIGGER.format(what=what, table=table))
    op.execute(TOTALS_SO_FAR)
