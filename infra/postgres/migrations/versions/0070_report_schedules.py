"""Schedules of reports, how many of them a plan allows, and which report is of which period of a schedule."""

from alembic import op

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("""
        CREATE TABLE report_schedules (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            name text NOT NULL,
            scope text NOT NULL,
            scope_id uuid NOT NULL,
            cadence text NOT NULL,
            hour smallint NOT NULL,
            weekday text,
            day_of_month smallint,
            status text NOT NULL,
            created_at timestamptz NOT NULL,
            due_at timestamptz NOT NULL,
            channel_ids uuid[] NOT NULL,
            benchmark text,
            retry_at timestamptz,
            last_run_at timestamptz,
            last_report_id uuid,
            is_open boolean NOT NULL,
            left_out integer NOT NULL,
            last_error text,
            last_error_at timestamptz
        )""")
    op.execute("CREATE INDEX report_schedules_of_user ON report_schedules (user_id, id)")
    op.execute("""
        CREATE INDEX report_schedules_due ON report_schedules ((coalesce(retry_at, due_at))) WHERE status = 'ACTIVE'""")
    op.execute("CREATE INDEX report_schedules_open ON report_schedules (id) WHERE is_open")
    # The schedule may be deleted while its reports stay; of a period there is one, whatever nodes do.
    op.execute("ALTER TABLE reports ADD COLUMN schedule_id uuid, ADD COLUMN schedule_period text")
    op.execute("""
        CREATE UNIQUE INDEX reports_of_schedule ON reports (schedule_id, schedule_period)
        WHERE schedule_id IS NOT NULL""")
    op.execute("ALTER TABLE plans ADD COLUMN max_report_schedules integer NOT NULL DEFAULT 50")
    op.execute("ALTER TABLE plans ALTER COLUMN max_report_schedules DROP DEFAULT")
