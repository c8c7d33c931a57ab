"""Jobs and reports."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from domain.core.money import rounded
from domain.model import reports as domain
from domain.model.orders import OrderRole
from domain.model.reports import ReportFormat
from domain.model.statistics import Figure, FigureGroup, FigureUnit
from resolvers import markets, reports
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.rounded import rounded_field
from schema.common.types import Info, lazy
from schema.jobs.types import Job
from schema.reports.metrics import PerformanceMetrics


@strawberry.type(description="A point of an equity curve.")
class EquityPoint:
    at: datetime = strawberry.field(description="The time of the point.")
    equity: Decimal = rounded_field("The equity, in the report's currency.")
    drawdown_percent: float = strawberry.field(
        description="The fall of the time-weighted return below its highest value so far, in percent of that value."
    )
    net_deposits: Decimal = rounded_field(
        "The deposits since the start of the period, minus the withdrawals, in the report's currency. `equity` "
        "includes it."
    )


@strawberry.type(description="A position from its opening to its closing.")
class RoundTrip:
    opened_at: datetime = strawberry.field(description="When the first fill of the position happened.")
    closed_at: datetime | None = strawberry.field(description="When the position was closed. Null while it is open.")
    side: domain.PositionSide = strawberry.field(description="The direction of the position.")
    quantity: Decimal = strawberry.field(description="The quantity that was opened, in base currency.")
    entry_price: Decimal = rounded_field(
        "The mean price of the entries, in quote currency for one unit of the base currency."
    )
    exit_price: Decimal | None = rounded_field(
        "The mean price of the exits, in quote currency for one unit of the base currency. Null before the first exit."
    )
    profit: Decimal = rounded_field("The profit after fees, in the report's currency. It is negative for a loss.")
    profit_percent: float | None = strawberry.field(description="The profit in percent of the cost of the entry.")
    fees: Decimal = rounded_field("The fees that the venue charged, in the report's currency.")
    exit_reason: OrderRole | None = strawberry.field(
        description="The role of the order that closed the position. Null while it is open."
    )
    max_adverse_excursion: float | None = strawberry.field(
        description=(
            "The greatest loss while the position was open, in percent of the entry price. Null if it wasn't measured."
        )
    )
    max_favorable_excursion: float | None = strawberry.field(
        description=(
            "The greatest profit while the position was open, in percent of the entry price. Null if it wasn't "
            "measured."
        )
    )

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market") | None,
        description="The market of the position. Null if the venue no longer lists it, and in old reports.",
    )
    def market(parent: strawberry.Parent[domain.RoundTrip], info: Info) -> object:
        return None if parent.market is None else markets.market(info.context, parent.market)


RoundTripConnection = connection(RoundTrip, "round trips")

ReportScope: Any = Annotated[
    lazy("accounts.types", "Account")
    | lazy("trading.types", "TradingSession")
    | lazy("strategies.types", "Strategy")
    | lazy("backtests.types", "Backtest")
    | lazy("users.types", "User"),
    strawberry.union("ReportScope", description="The object that a report is about."),
]


@strawberry.type(description="A figure of a report beside its metrics.")
class ReportFigure:
    name: str = strawberry.field(description="The name of the figure, for programs. It never changes.")
    label: str = strawberry.field(description="The name of the figure, for people.")
    group: FigureGroup = strawberry.field(description="What the figure is about.")
    unit: FigureUnit = strawberry.field(description="The unit of the value.")
    definition: str = strawberry.field(description="How the figure is computed, and whose definition it is.")

    @strawberry.field(
        graphql_type=float | None,
        description="The value. Null if it has no meaning, and if the unit is AMOUNT.",
    )
    def value(parent: strawberry.Parent[Figure]) -> object:
        return None if isinstance(parent.value, Decimal) else parent.value

    @strawberry.field(
        graphql_type=Decimal | None,
        description="The value in the report's currency. Null if it has no meaning, and if the unit isn't AMOUNT.",
    )
    def amount(parent: strawberry.Parent[Figure]) -> object:
        return rounded(parent.value) if isinstance(parent.value, Decimal) else None


@strawberry.type(description="A file of a report.")
class ReportDownload:
    format: ReportFormat = strawberry.field(description="The format of the file.")
    url: str = strawberry.field(
        description=(
            "The address of the file, relative to that of the API, to be fetched by GET. It is signed and valid for "
            "ten minutes, because a browser sends no token with it; each request makes a new one."
        )
    )
    bytes: int = strawberry.field(description="The size of the file in bytes.")
    expires_at: datetime = strawberry.field(description="The time until which the address is valid.")


@strawberry.type
class ReportFacts:
    """The fields that a report and its state at an event have in common."""

    from_: datetime = strawberry.field(name="from", description="The start of the period, inclusive.")
    to: datetime = strawberry.field(description="The end of the period, exclusive.")
    created_at: datetime = strawberry.field(description="When the report was requested.")


@strawberry.type(description="A part of a report that is about several accounts or versions of a strategy.")
class ReportPart:
    name: str = strawberry.field(description="The name of the account, or the version of the strategy.")
    metrics: PerformanceMetrics = strawberry.field(
        description="The figures of this part. Those of a version are of all of its trading sessions together."
    )


@strawberry.type(
    description="The performance of an account, a trading session, a strategy, a backtest or all accounts of the user "
    "over a period."
)
class Report(Node, ReportFacts):
    is_type_of = instance_of(domain.Report)

    @strawberry.field(
        graphql_type=ReportScope | None,
        description="The object that the report is about. Null if it can't be read.",
    )
    async def scope(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.report_subject(info.context, parent)

    @strawberry.field(graphql_type=Job, description="The job that computes the report.")
    async def job(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.report_job(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("reports.schedules", "ReportSchedule") | None,
        description="The schedule that made the report. Null if a user asked for it, or the schedule was deleted.",
    )
    async def schedule(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.report_schedule(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description="The figures of the report. Null until the job has succeeded.",
    )
    async def metrics(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.metrics(info.context, parent)

    @strawberry.field(
        graphql_type=list[EquityPoint],
        description="The equity over time, reduced to evenly spread points. Empty until the job has succeeded.",
    )
    async def equity_curve(
        parent: strawberry.Parent[domain.Report],
        info: Info,
        points: Annotated[
            int, strawberry.argument(description="The greatest number of points, from 1 to 5,000.")
        ] = 500,
    ) -> object:
        return await reports.equity_curve(info.context, parent, points)

    @connection_field(
        RoundTripConnection,
        description="The positions of the period, in the order in which they were opened. Empty until the job has "
        "succeeded.",
    )
    async def round_trips(
        parent: strawberry.Parent[domain.Report],
        info: Info,
        page: PageArguments,
    ) -> object:
        return await reports.round_trips(info.context, parent, page)

    @strawberry.field(
        graphql_type=list[ReportPart],
        description="The parts of a report about a strategy (its versions) or about everything (the accounts). Empty "
        "for any other report, and until the job has succeeded.",
    )
    async def parts(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.parts(info.context, parent)

    @strawberry.field(
        graphql_type=list[ReportFigure],
        description="The figures beside `metrics`, each with its definition. Empty until the job has succeeded. "
        "Without a benchmark the figures about one are left out.",
    )
    async def figures(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.report_figures(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market") | None,
        description="The market that the report is compared with. Null if there is none, if the venue no longer lists "
        "it, and until the job has succeeded.",
    )
    async def benchmark(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        market = await reports.benchmark(info.context, parent)
        return None if market is None else markets.market(info.context, market)

    @strawberry.field(
        graphql_type=list[ReportDownload],
        description="The files of the report. Empty until the job has succeeded, and 90 days after the report was "
        "requested.",
    )
    async def downloads(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        return await reports.downloads(info.context, parent)


ReportConnection = connection(Report, "reports")
