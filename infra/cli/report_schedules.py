"""`r3edge report schedule`: the schedules of a user's reports."""

from typing import TYPE_CHECKING, Annotated

import typer

from domain.model.report_schedules import Recurrence, ReportCadence, Weekday
from infra.cli.arguments import BadArgument
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.cli.strategies import UserEmail

if TYPE_CHECKING:
    from infra.cli.schedule_store import ShownSchedule

schedule_app = typer.Typer(
    help="Schedules of reports, which a running engine makes and sends.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The name of the schedule.", show_default=False)]
NameOrId = Annotated[str, typer.Argument(help="The schedule's name, or its id.", show_default=False)]


@schedule_app.command("list")
def list_schedules(user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Print a user's schedules: when the next report is made, and what went wrong with the last one."""
    settings = command_settings(data_dir)
    from infra.cli.schedule_store import read_schedules  # noqa: PLC0415  # other commands start without

    for shown in run_command(read_schedules(settings, user)):
        print("\n".join(schedule_lines(shown)))


@schedule_app.command("create")
def create(
    name: Name,
    account: Annotated[str | None, typer.Option(help="Report on the account with this name or id.")] = None,
    session: Annotated[str | None, typer.Option(help="Report on the trading session with this id.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Report on the strategy with this name or id.")] = None,
    weekly: Annotated[Weekday | None, typer.Option(case_sensitive=False, help="Each week, made on this day.")] = None,
    monthly: Annotated[int | None, typer.Option(help="Each month, made on this day of it.")] = None,
    hour: Annotated[int, typer.Option(help="The hour by the user's time zone.")] = 7,
    channel: Annotated[
        list[str] | None, typer.Option(help="The name of a notification channel that delivers; may be repeated.")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(help="A market to compare with, such as sandbox:BTC/USDT.")] = None,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Have a report made each day, or by --weekly or --monthly. Without --account … it is about all accounts."""
    settings = command_settings(data_dir)
    from infra.cli.report_files import Subject  # noqa: PLC0415  # other commands start without
    from infra.cli.schedule_store import store_schedule  # noqa: PLC0415  # as above

    async def run() -> "ShownSchedule":
        recurrence = recurrence_of(hour, weekly, monthly)
        subject = Subject(user, account, session, strategy, benchmark=benchmark)
        return await store_schedule(settings, name, subject, recurrence, channel or [])

    print("\n".join(schedule_lines(run_command(run()))))


@schedule_app.command("delete")
def delete(name_or_id: NameOrId, user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Delete a schedule; its reports stay."""
    settings = command_settings(data_dir)
    from infra.cli.schedule_store import delete_schedule  # noqa: PLC0415  # other commands start without

    print(f"{run_command(delete_schedule(settings, user, name_or_id))}: deleted")


def recurrence_of(hour: int, weekly: Weekday | None, monthly: int | None) -> Recurrence:
    """Return when reports are made; raises `BadArgument`."""
    if weekly is not None and monthly is not None:
        raise BadArgument("--weekly and --monthly: a schedule is one of them")
    if weekly is not None:
        return Recurrence(ReportCadence.WEEKLY, hour, weekday=weekly)
    if monthly is not None:
        return Recurrence(ReportCadence.MONTHLY, hour, day_of_month=monthly)
    return Recurrence(ReportCadence.DAILY, hour)


def schedule_lines(shown: "ShownSchedule") -> list[str]:
    """Return a schedule in lines of text."""
    schedule = shown.schedule
    days = {
        ReportCadence.DAILY: "each day",
        ReportCadence.WEEKLY: f"each {(schedule.weekday or '').capitalize()}",
        ReportCadence.MONTHLY: f"each month on day {schedule.day_of_month}",
    }
    when = f"{days[schedule.cadence]} at {schedule.hour:02}:00 {shown.time_zone}"
    lines = [f"{schedule.name}  {shown.id}  {schedule.status.value}", f"  {shown.about}, {when}"]
    lines.append(f"  to {', '.join(shown.channels) or 'all channels that take reports'}")
    if shown.next_run_at is not None:
        lines.append(f"  next {shown.next_run_at:%Y-%m-%d %H:%M} UTC")
    if schedule.last_run_at is not None:
        left_out = f", {schedule.left_out} before it left out" if schedule.left_out else ""
        lines.append(f"  last {schedule.last_run_at:%Y-%m-%d %H:%M} UTC{left_out}")
    if schedule.last_error is not None:
        lines.append(f"  {schedule.last_error}")
    return lines
