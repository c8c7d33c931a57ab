"""A decision to send an order and a halt wait for each other: each of them sees the other, or comes before it."""

from alembic import op

revision = "0031"
down_revision = "0030"

# A volatile function reads by a snapshot of its own, taken after the lock: that of the statement may be older than a
# halt that was committed while it waited. The key is that of `HALT_LOCK` in infra/postgres/repositories/halts.py.
_HALT_FORBIDS = """
CREATE FUNCTION halt_forbids(states text[], of_user uuid, of_account uuid, of_session uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4117923055);
    RETURN EXISTS (
        SELECT FROM halts WHERE halts.state = ANY (states) AND (level, subject_id) IN (
            ('ENGINE', '00000000-0000-0000-0000-000000000000'), ('USER', of_user), ('ACCOUNT', of_account),
            ('TRADING_SESSION', of_session))
    );
END
$$"""


def upgrade() -> None:
    op.execute(_HALT_FORBIDS)
