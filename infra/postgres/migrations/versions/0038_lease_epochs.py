"""Makes a lease's epoch part of a key, so that a transaction that has checked a lease keeps off the next holder only.

To acquire a lease sets its epoch, which waits for those that have locked the row's key; to renew one doesn't.
"""

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.execute("CREATE UNIQUE INDEX leases_epoch ON leases (kind, key, epoch)")
