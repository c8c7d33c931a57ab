"""Plans for the tests."""

from infra.postgres.pool import Pool


async def set_limits(pool: Pool, plan: str = "standard", **limits: int | None) -> None:
    """Change limits of a plan at once, as an operator does by `planUpdate`."""
    for name, limit in limits.items():
        await pool.execute(f"UPDATE plans SET {name} = $2 WHERE name = $1", plan, limit)
