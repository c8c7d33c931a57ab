"""Signals that users submit: they wait until the node that trades the account has acted on them."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("ALTER TABLE signals ADD COLUMN waiting boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX signals_waiting ON signals (trading_session_id, id) WHERE waiting")
