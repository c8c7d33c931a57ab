"""Further entries into a position: each is a signal that names the position and its number, and is made once."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("ALTER TABLE signals ADD COLUMN position_id uuid REFERENCES positions, ADD COLUMN add_number integer")
    op.execute(
        "CREATE UNIQUE INDEX signals_once_an_add ON signals (position_id, add_number) WHERE add_number IS NOT NULL"
    )
