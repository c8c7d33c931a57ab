"""Documents that the operator added, and a number by which nodes notice that they have changed."""

from alembic import op

revision = "0079"
down_revision = "0078"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE persisted_documents (
            id text PRIMARY KEY,
            text text NOT NULL,
            name text NOT NULL,
            added_at timestamptz NOT NULL
        )""")
    op.execute("CREATE TABLE persisted_document_revision (revision bigint NOT NULL)")
    op.execute("INSERT INTO persisted_document_revision VALUES (0)")
