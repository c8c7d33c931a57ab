"""The money that came into accounts and left them otherwise than by fills."""

from alembic import op

revision = "0005"
down_revision = "0004"

TRANSFERS = """
CREATE TABLE account_transfers (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    account_id uuid NOT NULL REFERENCES accounts,
    kind text NOT NULL CHECK (kind IN ('OPENING', 'DEPOSIT', 'WITHDRAWAL', 'ADJUSTMENT')),
    currency text COLLATE "C" NOT NULL,
    amount numeric NOT NULL CHECK (amount <> 0),
    at timestamptz NOT NULL,
    reference text COLLATE "C" NOT NULL,
    UNIQUE (account_id, reference)
)
"""
OF_ACCOUNT = "CREATE INDEX account_transfers_of_account ON account_transfers (account_id, id)"

# A UUIDv7 of the time that the row tells of, since lists are ordered by id and PostgreSQL has uuidv7() from 18 on only.
TIME_ORDERED_ID = """(
    lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
    || '8' || substr(md5(random()::text), 1, 15)
)::uuid"""

# What was paid into paper accounts stands in the log of what users did, such as '9000 USDT'.
DEPOSITS = f"""
INSERT INTO account_transfers (id, user_id, account_id, kind, currency, amount, at, reference)
SELECT {TIME_ORDERED_ID}, user_id, account_id, 'DEPOSIT', currency, amount, at, 'activity:' || activity_id
FROM (
    SELECT accounts.user_id, accounts.id AS account_id, activities.id AS activity_id, activities.at,
        split_part(detail, ' ', 1)::numeric AS amount, split_part(detail, ' ', 2) AS currency
    FROM activities JOIN accounts ON accounts.id::text = subject_id
    WHERE action = 'paperDeposit' AND subject_type = 'Account' AND detail ~ '^[0-9.]+ [^ ]+$'
) AS paid WHERE amount <> 0
"""

# Everything else that the fills don't explain counts as if it had been there from the account's first day on. That is
# so of a paper account; of a live one it is a guess, which its reference tells. An engine that was killed left fills or
# balances that weren't stored, so the openings are corrected once the account has agreed with its venue.
OPENINGS = f"""
WITH moved AS (
    SELECT account_id, currency, sum(amount) AS amount FROM (
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
), opened AS (
    SELECT account_id, currency, coalesce(balances.total, 0) - coalesce(moved.amount, 0) AS amount
    FROM balances FULL JOIN moved USING (account_id, currency)
)
INSERT INTO account_transfers (id, user_id, account_id, kind, currency, amount, at, reference)
SELECT {TIME_ORDERED_ID}, user_id, account_id, 'OPENING', currency, amount, at,
    CASE kind WHEN 'PAPER' THEN 'opening:' ELSE 'estimated:' END || currency
FROM (
    SELECT accounts.user_id, accounts.kind, accounts.created_at AS at, opened.* FROM opened
    JOIN accounts ON accounts.id = account_id
) AS openings WHERE amount <> 0
"""

PROVISIONAL = (
    "ALTER TABLE accounts ADD COLUMN opening_is_provisional boolean NOT NULL DEFAULT true",
    "ALTER TABLE accounts ALTER COLUMN opening_is_provisional SET DEFAULT false",
)


def upgrade() -> None:
    for statement in (TRANSFERS, OF_ACCOUNT, DEPOSITS, OPENINGS, *PROVISIONAL):
        op.execute(statement)
