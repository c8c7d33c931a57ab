"""Jobs and reports as the API shows them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import strawberry

from domain.model import reports as domain
from domain.model.orders import OrderRole
from domain.model.users import ApiScope
from domain.reports.service import ReportRequest
from resolvers import reports
from resolvers.pagination import PageArguments
from schema.accounts import Account
from schema.context import Info
from schema.described import describe_enum
from schema.errors import INPUT, Payload, answer, payload
from schema.metrics import PerformanceMetrics
from schema.node import Node, decode_uuid, serves
from schema.pagination import After, Before, CountedConnection, Edge, First, Last
from schema.rounded import rounded_field
from schema.strategies import Strategy
from schema.trading import TradingSession


class ReportFormat(StrEnum):
    """The formats of a report's files."""

    HTML = "HTML"
    CSV = "CSV"
    PARQUET = "PARQUET"


describe_enum(
    ReportFormat,
    "The file formats of a report.",
    {
        "HTML": "A page with charts, for reading.",
        "CSV": "Tables as comma-separated text, for spreadsheets.",
        "PARQUET": "Tables with typed columns, for data analysis.",
    },
)


@strawberry.type
class JobFacts:
    """What is told of a job as it is now and as it once stood."""

    kind: str = strawberry.field(description="The kind of result that the job computes, such as report.")
    status: domain.JobStatus = strawberry.field(description="The status of the job in its life.")
    progress: float = strawberry.field(description="The part of the job that is done, from 0 to 1.")
    message: str | None = strawberry.field(
        description="The status in words, such as why the job failed. Null if there is nothing to add."
    )
    created_at: datetime = strawberry.field(description="When the job was requested.")
    finished_at: datetime | None = strawberry.field(description="When the job ended. Null until then.")


@strawberry.type(description="A computation that continues after the request that started it.")
class Job(Node, JobFacts):
    """The schema's face of `domain.model.reports.Job`."""

    is_type_of = serves(domain.Job)

    @strawberry.field(
        graphql_type=Node | None,
        description="The object that the job made, such as the report. Null until the job has succeeded.",
    )
    async def result(parent: strawberry.Parent[domain.Job], info: Info) -> object:
        """Return the result."""
        return await reports.result_of(info.context, parent)


@strawberry.type(description="A job in a list, with its cursor.")
class JobEdge(Edge[Job]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of jobs.")
class JobConnection(CountedConnection[Job, JobEdge]):
    """See `Connection`."""


@strawberry.type(description="The equity at a moment.")
class EquityPoint:
    """The schema's face of `domain.model.reports.EquityPoint`."""

    at: datetime = strawberry.field(description="The moment.")
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
    """The schema's face of `domain.model.reports.RoundTrip`."""

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


@strawberry.type(description="A round trip in a list, with its cursor.")
class RoundTripEdge(Edge[RoundTrip]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of round trips.")
class RoundTripConnection(CountedConnection[RoundTrip, RoundTripEdge]):
    """See `Connection`."""


ReportScope = Annotated[
    Account | TradingSession | Strategy,
    strawberry.union("ReportScope", description="The object that a report is about."),
]


@strawberry.type(description="A file of a report.")
class ReportDownload:
    """A file made of a report."""

    format: ReportFormat = strawberry.field(description="The format of the file.")
    url: str = strawberry.field(
        description=(
            "The address of the file. It is signed and valid for a short time, because a browser sends no token with "
            "it."
        )
    )
    bytes: int = strawberry.field(description="The size of the file in bytes.")
    expires_at: datetime = strawberry.field(description="The time until which the address is valid.")


@strawberry.type
class ReportFacts:
    """What is told of a report as it is now and as it once stood."""

    from_: datetime = strawberry.field(name="from", description="The start of the period, inclusive.")
    to: datetime = strawberry.field(description="The end of the period, exclusive.")
    created_at: datetime = strawberry.field(description="When the report was requested.")


@strawberry.type(description="The performance and the transactions of an account or a trading session over a period.")
class Report(Node, ReportFacts):
    """The schema's face of `domain.model.reports.Report`."""

    is_type_of = serves(domain.Report)

    @strawberry.field(
        graphql_type=ReportScope | None,
        description="The object that the report is about. Null if it can't be read.",
    )
    async def scope(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the account, the trading session or the strategy."""
        return await reports.scope_of(info.context, parent)

    @strawberry.field(graphql_type=Job, description="The job that computes the report.")
    async def job(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the job."""
        return await reports.job_of(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description="The figures of the report. Null until the job has succeeded.",
    )
    async def metrics(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the figures."""
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
        """Return the curve."""
        return await reports.equity_curve(info.context, parent, points)

    @strawberry.field(
        graphql_type=RoundTripConnection,
        description="The positions of the period, in the order in which they were opened. Empty until the job has "
        "succeeded.",
    )
    async def round_trips(
        parent: strawberry.Parent[domain.Report],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        return await reports.round_trips(info.context, parent, PageArguments(first, after, last, before))

    @strawberry.field(description="The files of the report. Always empty, because the engine doesn't make files yet.")
    def downloads(self) -> list[ReportDownload]:
        """Return the files."""
        return []


@strawberry.type(description="A report in a list, with its cursor.")
class ReportEdge(Edge[Report]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of reports.")
class ReportConnection(CountedConnection[Report, ReportEdge]):
    """See `Connection`."""


@strawberry.input(one_of=True, description="The object that a report is about. Give exactly one of the fields.")
class ReportScopeInput:
    """What a report is to be about."""

    account: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of an account. The report is about everything on it."
    )
    trading_session: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a trading session."
    )
    strategy: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a strategy. Not supported yet."
    )
    backtest: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a backtest. Not supported yet."
    )


_SCOPES = (
    (domain.ReportScope.ACCOUNT, "account", "account", "Account"),
    (domain.ReportScope.TRADING_SESSION, "trading_session", "tradingSession", "TradingSession"),
    (domain.ReportScope.STRATEGY, "strategy", "strategy", "Strategy"),
    (domain.ReportScope.BACKTEST, "backtest", "backtest", "Backtest"),
)


@strawberry.input(description="The report to compute.")
class ReportGenerateInput:
    """The input of `reportGenerate`."""

    scope: ReportScopeInput = strawberry.field(description="The object that the report is about.")
    from_: datetime | None = strawberry.field(
        default=None,
        name="from",
        description=(
            "The start of the period, inclusive, not before 2009. By default the time at which the account was "
            "created or the trading session started."
        ),
    )
    to: datetime | None = strawberry.field(
        default=None, description="The end of the period, exclusive. The default is now. A later time counts as now."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "Makes it safe to repeat the request: the same key with the same input returns the same report. At most "
            "128 characters."
        ),
    )

    def to_domain(self) -> ReportRequest:
        """Return the request; raises NOT_FOUND for an id that names nothing."""
        given = ((one, getattr(self.scope, one[1])) for one in _SCOPES)
        (scope, _, name, type_name), scope_text = next(
            (one, text) for one, text in given if text is not None and text is not strawberry.UNSET
        )
        scope_id = decode_uuid(scope_text, type_name, ("input", "scope", name))
        return ReportRequest(scope, scope_id, self.from_, self.to)


@strawberry.type(description="The result of `reportGenerate`.")
class ReportGeneratePayload(Payload):
    """The answer of `reportGenerate`."""

    report: Report | None = strawberry.field(description="The report. Null if there are errors.")


@strawberry.type
class ReportMutation:
    """The reports' part of the mutation root."""

    @strawberry.mutation(
        description=(
            "Start to compute a report. `Report.job` shows its progress. At most 5 jobs of a user can wait or run at "
            "the same time."
        )
    )
    @payload(ReportGeneratePayload)
    async def report_generate(
        self, info: Info, input: Annotated[ReportGenerateInput, INPUT]
    ) -> ReportGeneratePayload | None:
        """Have a report computed."""
        info.context.require(ApiScope.READ)
        report = await reports.generate(info.context, input.to_domain(), input.idempotency_key)
        return answer(ReportGeneratePayload, report=report)
