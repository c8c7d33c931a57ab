"""What transfers and fills of an account come to, kept as they are written, so that nobody adds all of them up.

Triggers keep it: whoever writes a transfer or a fill, now or in a later version, changes the totals with it. They run
once a statement, since a thousand changes of one row in one transaction take a thousand times as long as each alone.
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
OF_TRANSFERS = "SELECT account_id, currency, amount FROM {rows}"
OF_FILLS = """
    SELECT account_id, split_part(split_part(market, ':', 2), '/', 1) AS currency,
        CASE side WHEN 'BUY' THEN quantity ELSE -quantity END AS amount FROM {rows}
    UNION ALL
    SELECT account_id, split_part(split_part(market, ':', 2), '/', 2),
        CASE side WHEN 'BUY' THEN -price * quantity ELSE price * quantity END FROM {rows}
    UNION ALL
    SELECT account_id, fee_currency, -fee FROM {rows}
"""
# In the order of the currencies, so that two writers can't deadlock.
ADD = """
INSERT INTO ledger_totals AS totals (account_id, currency, amount)
SELECT account_id, currency, {sign}sum(amount) FROM ({movements}) AS moved
GROUP BY account_id, currency ORDER BY account_id, currency
ON CONFLICT (account_id, currency) DO UPDATE SET amount = totals.amount + excluded.amount
"""
FUNCTION = """
CREATE FUNCTION keep_totals_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        {subtract};
    END IF;
    IF TG_OP <> 'DELETE' THEN
        {add};
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE TRIGGER keep_totals_on_{name} AFTER {name} ON {table} REFERENCING {rows}
FOR EACH STATEMENT EXECUTE FUNCTION keep_totals_of_{table}()
"""
ROWS = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}


def upgrade() -> None:
    op.execute(TOTALS)
    for table, movements in (("account_transfers", OF_TRANSFERS), ("fills", OF_FILLS)):
        subtract = ADD.format(sign="-", movements=movements.format(rows="old_rows"))
        add = ADD.format(sign="", movements=movements.format(rows="new_rows"))
        op.execute(FUNCTION.format(table=table, subtract=subtract, add=add))
        for name, rows in ROWS.items():
            op.execute(TRIGGER.format(name=name, table=table, rows=rows))
        # After the triggers, which keep other writers away until all of this is committed.
        op.execute(ADD.format(sign="", movements=movements.format(rows=table)))
