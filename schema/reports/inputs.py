"""The input of `reportGenerate`."""

from datetime import datetime
from uuid import UUID

import strawberry

from domain.core.errors import ErrorCode, InputError
from domain.model import reports as domain
from domain.model.markets import MarketSymbol
from domain.reports.request import ReportRequest
from schema.common.node import decode_uuid


@strawberry.input(one_of=True, description="The object that a report is about. Give exactly one of the fields.")
class ReportScopeInput:
    account: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of an account. The report is about everything on it."
    )
    trading_session: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a trading session."
    )
    strategy: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The id of a strategy. The report is about all trading sessions of all of its versions, which "
        "`Report.parts` has side by side.",
    )
    backtest: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The id of a backtest that has succeeded. The report is about all of its period.",
    )
    everything: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="True for a report about all accounts of the user together, which `Report.parts` has side by side.",
    )

    def to_domain(self, user_id: UUID) -> tuple[domain.ReportScope, UUID]:
        """Return what a report of the user is about.

        Raises NOT_FOUND for an id of another type, INVALID for `everything: false`.
        """
        if isinstance(self.everything, bool):
            if not self.everything:
                message = "`everything` can only be true; for less than that give the id of what the report is about."
                raise InputError(ErrorCode.INVALID, message, ("input", "scope", "everything"))
            return domain.ReportScope.USER, user_id
        given = ((entry, getattr(self, entry[1])) for entry in _SCOPES)
        (scope, _, name, type_name), scope_text = next(
            (entry, text) for entry, text in given if text is not None and text is not strawberry.UNSET
        )
        return scope, decode_uuid(scope_text, type_name, ("input", "scope", name))


_SCOPES = (
    (domain.ReportScope.ACCOUNT, "account", "account", "Account"),
    (domain.ReportScope.TRADING_SESSION, "trading_session", "tradingSession", "TradingSession"),
    (domain.ReportScope.STRATEGY, "strategy", "strategy", "Strategy"),
    (domain.ReportScope.BACKTEST, "backtest", "backtest", "Backtest"),
)


@strawberry.input(description="The report to compute.")
class ReportGenerateInput:
    scope: ReportScopeInput = strawberry.field(description="The object that the report is about.")
    from_: datetime | None = strawberry.field(
        default=None,
        name="from",
        description=(
            "The start of the period, inclusive, not before 2009. By default the time at which the account was "
            "created or the trading session started. Leave it out for a backtest."
        ),
    )
    to: datetime | None = strawberry.field(
        default=None,
        description=(
            "The end of the period, exclusive. The default is now. A later time counts as now. Leave it out for a "
            "backtest."
        ),
    )
    benchmark: MarketSymbol | None = strawberry.field(
        default=None,
        description=(
            "The market to compare with, on any venue. The default is the market that was traded, if it is just one."
        ),
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same "
            "report. At most "
            "128 characters."
        ),
    )

    def to_domain(self, user_id: UUID) -> ReportRequest:
        """Return the request of a user. Raises NOT_FOUND for an id of another type, INVALID for `everything: false`."""
        return ReportRequest(*self.scope.to_domain(user_id), self.from_, self.to, self.benchmark)
