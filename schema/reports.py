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
    "What a report can be downloaded as.",
    {
        "HTML": "A page with charts, for reading.",
        "CSV": "Tables as text with commas, for spreadsheets.",
        "PARQUET": "Tables with types, for data analysis.",
    },
)


@strawberry.type
class JobFacts:
    """What is told of a job as it is now and as it once stood."""

    kind: str = strawberry.field(description="What is computed, such as report.")
    status: domain.JobStatus = strawberry.field(description="Where it is in its life.")
    progress: float = strawberry.field(description="How much of it is done, from 0 to 1.")
    message: str | None = strawberry.field(description="What there is to say, such as why it failed.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")


@strawberry.type(description="A computation that outlives its request.")
class Job(Node, JobFacts):
    """The schema's face of `domain.model.reports.Job`."""

    is_type_of = serves(domain.Job)

    @strawberry.field(graphql_type=Node | None, description="What it has made; null until it has succeeded.")
    async def result(parent: strawberry.Parent[domain.Job], info: Info) -> object:
        """Return the result."""
        return await reports.result_of(info.context, parent)


@strawberry.type(description="A job in a list.")
class JobEdge(Edge[Job]):
    """See `Edge`."""


@strawberry.type(description="Jobs, a page at a time.")
class JobConnection(CountedConnection[Job, JobEdge]):
    """See `Connection`."""


@strawberry.type(description="The equity at a moment.")
class EquityPoint:
    """The schema's face of `domain.model.reports.EquityPoint`."""

    at: datetime = strawberry.field(description="The moment of the equity.")
    equity: Decimal = rounded_field("In the report's currency.")
    drawdown_percent: float = strawberry.field(
        description="How far the time-weighted return is below its highest so far."
    )
    net_deposits: Decimal = rounded_field(
        "What was paid in since the start, less what was taken out; `equity` holds it."
    )


@strawberry.type(description="One position from opening to flat.")
class RoundTrip:
    """The schema's face of `domain.model.reports.RoundTrip`."""

    opened_at: datetime = strawberry.field(description="When its first fill was.")
    closed_at: datetime | None = strawberry.field(description="When it became flat; null while it is open.")
    side: domain.PositionSide = strawberry.field(description="Which way the position went.")
    quantity: Decimal = strawberry.field(description="What was opened, in base currency.")
    entry_price: Decimal = rounded_field("The mean, in quote currency per base.")
    exit_price: Decimal | None = rounded_field("The mean; null before the first exit.")
    profit: Decimal = rounded_field("After fees, in quote currency.")
    profit_percent: float | None = strawberry.field(description="Of what the entry cost.")
    fees: Decimal = rounded_field("What the venue took, in quote currency.")
    exit_reason: OrderRole | None = strawberry.field(description="The role of the order that closed it.")
    max_adverse_excursion: float | None = strawberry.field(
        description="How far it was under water at most, in percent of the entry; null where it wasn't measured."
    )
    max_favorable_excursion: float | None = strawberry.field(
        description="How far it was ahead at most, in percent of the entry; null where it wasn't measured."
    )


@strawberry.type(description="A round trip in a list.")
class RoundTripEdge(Edge[RoundTrip]):
    """See `Edge`."""


@strawberry.type(description="Round trips, a page at a time.")
class RoundTripConnection(CountedConnection[RoundTrip, RoundTripEdge]):
    """See `Connection`."""


ReportScope = Annotated[
    Account | TradingSession | Strategy,
    strawberry.union("ReportScope", description="What a report can be about."),
]


@strawberry.type(description="`url` is signed and short-lived, since a browser sends no token with it.")
class ReportDownload:
    """A file made of a report."""

    format: ReportFormat = strawberry.field(description="The format of the file.")
    url: str = strawberry.field(description="The address of the file.")
    bytes: int = strawberry.field(description="The size of the file in bytes.")
    expires_at: datetime = strawberry.field(description="Until when the address is good.")


@strawberry.type
class ReportFacts:
    """What is told of a report as it is now and as it once stood."""

    from_: datetime = strawberry.field(name="from", description="The beginning, included.")
    to: datetime = strawberry.field(description="The end, not included.")
    created_at: datetime = strawberry.field(description="When it was asked for.")


@strawberry.type(description="A computed account of performance and transactions over a period.")
class Report(Node, ReportFacts):
    """The schema's face of `domain.model.reports.Report`."""

    is_type_of = serves(domain.Report)

    @strawberry.field(
        graphql_type=ReportScope | None,
        description="What it is about; null where that can't be read.",
    )
    async def scope(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the account, the trading session or the strategy."""
        return await reports.scope_of(info.context, parent)

    @strawberry.field(graphql_type=Job, description="What computes it.")
    async def job(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the job."""
        return await reports.job_of(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None, description="How it went; null until the job has succeeded."
    )
    async def metrics(parent: strawberry.Parent[domain.Report], info: Info) -> object:
        """Return the figures."""
        return await reports.metrics(info.context, parent)

    @strawberry.field(
        graphql_type=list[EquityPoint],
        description="The equity over time, evenly thinned; empty until the job has succeeded.",
    )
    async def equity_curve(
        parent: strawberry.Parent[domain.Report],
        info: Info,
        points: Annotated[int, strawberry.argument(description="At most so many, from 1 to 5,000.")] = 500,
    ) -> object:
        """Return the curve."""
        return await reports.equity_curve(info.context, parent, points)

    @strawberry.field(
        graphql_type=RoundTripConnection,
        description="In the order of their opening; empty until the job has succeeded.",
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

    @strawberry.field(description="Files made of it; there are none yet.")
    def downloads(self) -> list[ReportDownload]:
        """Return the files."""
        return []


@strawberry.type(description="A report in a list.")
class ReportEdge(Edge[Report]):
    """See `Edge`."""


@strawberry.type(description="Reports, a page at a time.")
class ReportConnection(CountedConnection[Report, ReportEdge]):
    """See `Connection`."""


@strawberry.input(one_of=True, description="Exactly one.")
class ReportScopeInput:
    """What a report is to be about."""

    account: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="All of an account.")
    trading_session: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="One trading session."
    )
    strategy: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Not supported yet.")
    backtest: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Not supported yet.")


_SCOPES = (
    (domain.ReportScope.ACCOUNT, "account", "account", "Account"),
    (domain.ReportScope.TRADING_SESSION, "trading_session", "tradingSession", "TradingSession"),
    (domain.ReportScope.STRATEGY, "strategy", "strategy", "Strategy"),
    (domain.ReportScope.BACKTEST, "backtest", "backtest", "Backtest"),
)


@strawberry.input(description="What a report is to be about.")
class ReportGenerateInput:
    """The input of `reportGenerate`."""

    scope: ReportScopeInput = strawberry.field(description="What the report is about.")
    from_: datetime | None = strawberry.field(
        default=None,
        name="from",
        description="If null, when the account was created or the session started; not before 2009.",
    )
    to: datetime | None = strawberry.field(default=None, description="Now, if null or later than that.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key with the same input gives the same report."
    )

    def to_domain(self) -> ReportRequest:
        """Return the request; raises NOT_FOUND for an id that names nothing."""
        given = ((one, getattr(self.scope, one[1])) for one in _SCOPES)
        (scope, _, name, type_name), scope_text = next(
            (one, text) for one, text in given if text is not None and text is not strawberry.UNSET
        )
        scope_id = decode_uuid(scope_text, type_name, ("input", "scope", name))
        return ReportRequest(scope, scope_id, self.from_, self.to)


@strawberry.type(description="The answer of `reportGenerate`.")
class ReportGeneratePayload(Payload):
    """The answer of `reportGenerate`."""

    report: Report | None = strawberry.field(description="The report; null where there are errors.")


@strawberry.type
class ReportMutation:
    """The reports' part of the mutation root."""

    @strawberry.mutation(description="Have a report computed; `job` tells how far it is.")
    @payload(ReportGeneratePayload)
    async def report_generate(
        self, info: Info, input: Annotated[ReportGenerateInput, INPUT]
    ) -> ReportGeneratePayload | None:
        """Have a report computed."""
        info.context.require(ApiScope.READ)
        report = await reports.generate(info.context, input.to_domain(), input.idempotency_key)
        return answer(ReportGeneratePayload, report=report)
