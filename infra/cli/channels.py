"""`r3edge channel`: notification channels of a user."""

import sys
from typing import Annotated

import typer

from domain.model.events import UserEventKind
from domain.model.notifications import DeliveryStatus
from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.cli.strategies import UserEmail

channel_app = typer.Typer(
    help="Where a user's events are delivered to. The engine may be running.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Channel = Annotated[str, typer.Argument(help="The channel's name, or its id from the API.")]


@channel_app.command("list")
def list_channels(user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Print the channels as CSV."""
    settings = command_settings(data_dir)
    from infra.cli.channel_actions import ChannelCommands  # noqa: PLC0415  # other commands start without

    print(run_command(ChannelCommands(settings, user).list_all()), end="")


@channel_app.command("log")
def log(
    channel: Channel,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many of the newest deliveries.")] = 50,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Print a channel's deliveries as CSV, the newest first."""
    settings = command_settings(data_dir)
    from infra.cli.channel_actions import ChannelCommands  # noqa: PLC0415  # as above

    print(run_command(ChannelCommands(settings, user).log(channel, first)), end="")


@channel_app.command("update")
def update(
    channel: Channel,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    event: Annotated[
        list[UserEventKind] | None,
        typer.Option("--event", case_sensitive=False, help="The kinds of events that it delivers from now on."),
    ] = None,
    max_per_hour: Annotated[int | None, typer.Option(help="The most messages within an hour.")] = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Go on where it stopped, or stop it.")
    ] = None,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Change a channel, but for its receiver, which only the user can change after signing in."""
    settings = command_settings(data_dir)
    from domain.core.changes import UNCHANGED  # noqa: PLC0415  # as above
    from domain.notifications.channels import ChannelChanges  # noqa: PLC0415  # as above
    from infra.cli.channel_actions import ChannelCommands  # noqa: PLC0415  # as above

    changes = ChannelChanges(
        name=UNCHANGED if name is None else name,
        event_kinds=event or UNCHANGED,
        max_per_hour=UNCHANGED if max_per_hour is None else max_per_hour,
        enabled=UNCHANGED if enable is None else enable,
    )
    changed = run_command(ChannelCommands(settings, user).update(channel, changes))
    print(f"{changed.name} is {changed.status.value}, delivers {' '.join(changed.event_kinds)}")


@channel_app.command("test")
def send_test(channel: Channel, user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Send a test message by a channel, at once and only once; fails if it isn't taken."""
    settings = command_settings(data_dir)
    from infra.cli.channel_actions import ChannelCommands  # noqa: PLC0415  # as above

    delivery = run_command(ChannelCommands(settings, user).test(channel))
    if delivery.status is not DeliveryStatus.DELIVERED:
        print(f"r3edge: {delivery.error}", file=sys.stderr)
        raise typer.Exit(FAILED)
    print("delivered")


@channel_app.command("delete")
def delete(channel: Channel, user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Delete a channel with its log of deliveries, at once."""
    settings = command_settings(data_dir)
    from infra.cli.channel_actions import ChannelCommands  # noqa: PLC0415  # as above

    print(f"{run_command(ChannelCommands(settings, user).delete(channel)).name} is deleted")
