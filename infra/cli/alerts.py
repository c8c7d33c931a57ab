"""`r3edge alert`: alert rules of a user."""

from typing import Annotated

import typer

from domain.model.events import UserEventKind
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.cli.strategies import UserEmail

alert_app = typer.Typer(
    help="What a user wants to be alerted of. The engine may be running.", no_args_is_help=True, rich_markup_mode=None
)

Rule = Annotated[str, typer.Argument(help="The rule's name, or its id from the API.")]
Market = Annotated[str | None, typer.Option(help="The market, such as sandbox:BTC/USDT.")]
Account = Annotated[str | None, typer.Option(help="The account's name or id.")]
Session = Annotated[str | None, typer.Option(help="The id of a trading session.")]
Timeframe = Annotated[str | None, typer.Option(help="The length of the candles of --rule, such as 1h.")]
PriceAbove = Annotated[str | None, typer.Option(help="The price of --market goes above this.")]
PriceBelow = Annotated[str | None, typer.Option(help="The price of --market goes below this.")]
Condition = Annotated[
    str | None,
    typer.Option("--rule", help="A condition such as 'rsi(close, 14) < 30' on --market and --timeframe becomes true."),
]
EquityAbove = Annotated[str | None, typer.Option(help="The equity of --account goes above this.")]
EquityBelow = Annotated[str | None, typer.Option(help="The equity of --account goes below this.")]
Drawdown = Annotated[str | None, typer.Option(help="The drawdown of --account reaches so many percent.")]
FeedSilent = Annotated[int | None, typer.Option(help="The feed of --market isn't live for so many seconds.")]
SessionFailed = Annotated[bool, typer.Option("--session-failed", help="A trading session fails, or --session.")]
InDoubt = Annotated[
    bool, typer.Option("--order-in-doubt", help="It isn't known whether the venue has an order, or one of --account.")
]
Events = Annotated[
    list[UserEventKind] | None,
    typer.Option("--event", case_sensitive=False, help="Such an event happens, or one of --account or --session."),
]
Hysteresis = Annotated[
    str | None, typer.Option(help="How many percent of the level the number goes back before it can cross again.")
]
EachTime = Annotated[bool | None, typer.Option("--each-time/--once", help="Alert each time, or once (the default).")]
Cooldown = Annotated[int | None, typer.Option(help="The least seconds between two alerts.")]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help="The name or id of a channel that delivers its alerts; without it, all do."),
]


@alert_app.command("list")
def list_rules(user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Print the alert rules as CSV, the newest first."""
    settings = command_settings(data_dir)
    from infra.cli.alert_actions import AlertCommands  # noqa: PLC0415  # other commands start without

    print(run_command(AlertCommands(settings, user).list_all()), end="")


@alert_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The name of the rule, with which its alerts begin.")],
    market: Market = None,
    price_above: PriceAbove = None,
    price_below: PriceBelow = None,
    timeframe: Timeframe = None,
    rule: Condition = None,
    account: Account = None,
    equity_above: EquityAbove = None,
    equity_below: EquityBelow = None,
    drawdown: Drawdown = None,
    feed_silent: FeedSilent = None,
    session: Session = None,
    session_failed: SessionFailed = False,
    order_in_doubt: InDoubt = False,
    event: Events = None,
    hysteresis: Hysteresis = None,
    each_time: EachTime = None,
    cooldown: Cooldown = None,
    channel: Channels = None,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Create an alert rule, which fires when its condition becomes true. Give one condition, and where it holds."""
    settings = command_settings(data_dir)
    from infra.cli.alert_actions import AlertCommands, RuleOptions, condition_words  # noqa: PLC0415  # as above
    from infra.cli.alert_conditions import ConditionOptions  # noqa: PLC0415  # as above

    condition = ConditionOptions(
        price_above, price_below, rule, equity_above, equity_below, drawdown, feed_silent, session_failed,
        order_in_doubt, event or (), market, timeframe, hysteresis,
    )  # fmt: skip
    options = RuleOptions(condition, account, session, each_time, cooldown, channel or None)
    made = run_command(AlertCommands(settings, user).create(name, options))
    print(f"{made.name}: {condition_words(made)}")


@alert_app.command("update")
def update(
    name: Rule,
    new_name: Annotated[str | None, typer.Option("--name", help="The new name.")] = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Look at it again, also after it has fired, or no more.")
    ] = None,
    market: Market = None,
    price_above: PriceAbove = None,
    price_below: PriceBelow = None,
    timeframe: Timeframe = None,
    rule: Condition = None,
    account: Account = None,
    equity_above: EquityAbove = None,
    equity_below: EquityBelow = None,
    drawdown: Drawdown = None,
    feed_silent: FeedSilent = None,
    session: Session = None,
    session_failed: SessionFailed = False,
    order_in_doubt: InDoubt = False,
    event: Events = None,
    hysteresis: Hysteresis = None,
    each_time: EachTime = None,
    cooldown: Cooldown = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="The channels that deliver its alerts from now on, or all.")
    ] = None,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Change an alert rule. A condition that is given takes the place of the rule's, of the same kind."""
    settings = command_settings(data_dir)
    from infra.cli.alert_actions import AlertCommands, RuleOptions, condition_words  # noqa: PLC0415  # as above
    from infra.cli.alert_conditions import ConditionOptions  # noqa: PLC0415  # as above

    condition = ConditionOptions(
        price_above, price_below, rule, equity_above, equity_below, drawdown, feed_silent, session_failed,
        order_in_doubt, event or (), market, timeframe, hysteresis,
    )  # fmt: skip
    options = RuleOptions(condition, account, session, each_time, cooldown, channel or None)
    changed = run_command(AlertCommands(settings, user).update(name, options, new_name=new_name, enabled=enable))
    print(f"{changed.name}: {condition_words(changed)}, {changed.status.value}")


@alert_app.command("delete")
def delete(name: Rule, user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Delete an alert rule, at once."""
    settings = command_settings(data_dir)
    from infra.cli.alert_actions import AlertCommands  # noqa: PLC0415  # as above

    print(f"{run_command(AlertCommands(settings, user).delete(name)).name} is deleted")
