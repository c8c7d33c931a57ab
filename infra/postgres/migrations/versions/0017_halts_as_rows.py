"""Halts are their rows alone: whether they cancel, by whom each, and what they allow is derived from them.

A halt of an earlier version has cancelled what it meant to, and doesn't cancel what was placed or kept since.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = (
    "ALTER TABLE halts ADD COLUMN cancel_orders boolean NOT NULL DEFAULT false",
    "ALTER TABLE halts ALTER COLUMN cancel_orders DROP DEFAULT",
    "ALTER TABLE halts DROP CONSTRAINT halts_pkey, ADD PRIMARY KEY (level, subject_id, author)",
    """
    CREATE FUNCTION halt_state(of_level text, of_subject uuid) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN bool_or(state = 'HALTED') THEN 'HALTED' WHEN count(*) > 0 THEN 'REDUCING' ELSE 'ACTIVE' END
        FROM halts WHERE level = of_level AND subject_id = of_subject
    $$""",
    "ALTER TABLE users DROP COLUMN trading_state",
    "ALTER TABLE accounts DROP COLUMN trading_state",
    "ALTER TABLE trading_sessions DROP COLUMN trading_state",
    "DROP TABLE engine_state",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
