"""Prints users and what was done to them, as tables."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from domain.model.administration import ManagedUser, UserCounts
from domain.model.users import Activity
from infra.cli.backtest_tables import result_console


def print_users(users: Sequence[ManagedUser]) -> None:
    """Print one line for each user."""
    table = Table("email", "name", "role", "status", "plan", "trading", "two-factor", "registered", "id")
    for user in users:
        table.add_row(
            *(user.email, user.display_name or "", user.role, user.status, user.plan.name, user.trading_state),
            *("on" if user.two_factor_enabled_at else "off", _shown(user.created_at), str(user.id)),
        )
    result_console().print(table)


def print_user(user: ManagedUser, counts: UserCounts) -> None:
    """Print a user, and how much the user has."""
    table = Table("", "", show_header=False)
    rows: list[tuple[str, object]] = [
        ("email", user.email),
        ("email verified", _shown(user.email_verified_at)),
        ("name", user.display_name or "-"),
        ("id", user.id),
        ("role", user.role),
        ("status", f"{user.status} since {_shown(user.disabled_at)}" if user.disabled_at else user.status),
        ("plan", user.plan.name),
        ("trading", user.trading_state),
        ("two-factor since", _shown(user.two_factor_enabled_at)),
        ("registered", _shown(user.created_at)),
        ("last seen", _shown(counts.last_seen_at)),
        ("login sessions", counts.login_sessions),
        ("API keys", counts.api_keys),
        ("accounts", f"{counts.live_accounts} live, {counts.paper_accounts} paper"),
        ("trading sessions", f"{counts.live_trading_sessions} live, {counts.failed_trading_sessions} failed"),
        ("active orders", counts.active_orders),
        ("open positions", counts.open_positions),
        ("open jobs", counts.open_jobs),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    result_console().print(table)


def print_activities(activities: Sequence[Activity]) -> None:
    """Print one line for each activity, the newest first."""
    table = Table("at", "action", "by", "detail", "reason")
    for one in activities:
        table.add_row(_shown(one.at), one.action, one.author, one.detail or "", one.reason or "")
    result_console().print(table)


def _shown(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
