"""What each point of equity is by the time-weighted return, whether the account rests, and what has no price."""

from alembic import op

revision = "0053"
down_revision = "0052"

# The return of each part between two points leaves out what was paid in between them; growth is their product,
# within what PostgreSQL's exp can say.
FILL = """
UPDATE equity_points SET growth = known.growth, highest_growth = known.highest_growth FROM (
    SELECT subject_id, at, growth, max(growth) OVER (PARTITION BY subject_id ORDER BY at) AS highest_growth FROM (
        SELECT subject_id, at, exp(greatest(least(
            sum(ln(greatest(part, 1e-9))) OVER (PARTITION BY subject_id ORDER BY at), 600), -600)) AS growth
        FROM (
            SELECT subject_id, at, coalesce(
                (CASE WHEN lag(equity) OVER points > 0
                    THEN (equity - deposited + lag(deposited) OVER points) / lag(equity) OVER points END)::float8, 1
            ) AS part
            FROM equity_points WINDOW points AS (PARTITION BY subject_id ORDER BY at)
        ) AS parts
    ) AS grown
) AS known WHERE equity_points.subject_id = known.subject_id AND equity_points.at = known.at
"""


def upgrade() -> None:
    op.execute("""
        ALTER TABLE equity_points
            ADD COLUMN growth float8 NOT NULL DEFAULT 1,
            ADD COLUMN highest_growth float8 NOT NULL DEFAULT 1,
            ADD COLUMN rests boolean NOT NULL DEFAULT false,
            ADD COLUMN unpriced text[] NOT NULL DEFAULT '{}'
    """)
    op.execute(FILL)
