"""Files of reports in pieces, the market that a report is compared with, and reports of all that a user has."""

from alembic import op

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    op.execute("ALTER TABLE reports ADD COLUMN benchmark text, DROP CONSTRAINT reports_scope_check")
    op.execute("""
        ALTER TABLE reports ADD CONSTRAINT reports_scope_check
        CHECK (scope IN ('ACCOUNT', 'TRADING_SESSION', 'STRATEGY', 'BACKTEST', 'USER'))""")
    op.execute("""
        CREATE TABLE report_files (
            id uuid PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports ON DELETE CASCADE,
            format text NOT NULL CHECK (format IN ('HTML', 'CSV', 'PARQUET')),
            run_id uuid NOT NULL,
            size_bytes bigint NOT NULL,
            UNIQUE (report_id, format)
        )""")
    op.execute("""
        CREATE TABLE report_file_pieces (
            report_id uuid NOT NULL REFERENCES reports ON DELETE CASCADE,
            run_id uuid NOT NULL,
            format text NOT NULL,
            number integer NOT NULL,
            data bytea NOT NULL,
            PRIMARY KEY (report_id, run_id, format, number)
        )""")
    # They are compressed already.
    op.execute("ALTER TABLE report_file_pieces ALTER COLUMN data SET STORAGE EXTERNAL")
