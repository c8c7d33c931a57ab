"""The log lines of the users' events, one each, written when their transaction is committed.

They contain ids, amounts, statuses and codes, but no text that a user wrote, which may hold a secret, email or name.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import singledispatch

import structlog

from domain.model.alerts import FiredAlert
from domain.model.events import NewEvent, Subject
from domain.model.jobs import Job, JobStatus
from domain.model.orders import OrderEvent, OrderEventKind
from domain.model.report_schedules import ScheduledReport
from domain.model.reports import Report
from domain.model.trading import Account, Position, Signal, TradingSession, TradingSessionStatus
from domain.model.trading_state import Halt, HaltLevel
from domain.model.users import Activity

log = structlog.stdlib.get_logger("r3edge.events")

ACTIVITY_LINES: Mapping[str, str] = {
    "userRegister": "user_registered",
    "userLogin": "login",
    "userLogout": "logout",
    "userUpdate": "user_updated",
    "emailVerificationSend": "email_verification_requested",
    "emailChange": "email_change_requested",
    "emailVerify": "email_verified",
    "twoFactorSetup": "two_factor_set_up",
    "twoFactorEnable": "two_factor_enabled",
    "twoFactorDisable": "two_factor_disabled",
    "recoveryCodesReplace": "recovery_codes_replaced",
    "userErase": "user_erased",
    "oidcSignIn": "login",
    "oidcLink": "identity_linked",
    "oidcUnlink": "identity_unlinked",
    "planCreate": "plan_created",
    "planUpdate": "plan_updated",
    "planArchive": "plan_archived",
    "userPlanChange": "plan_changed",
    "userPlanChangeCancel": "plan_change_canceled",
    "userInvite": "user_invited",
    "invitationWithdraw": "invitation_withdrawn",
    "userPromote": "user_promoted",
    "userDisable": "user_disabled",
    "userEnable": "user_enabled",
    "userRoleChange": "user_role_changed",
    "userPasswordReset": "password_reset_by_operator",
    "userTwoFactorReset": "two_factor_reset_by_operator",
    "userSignOut": "user_signed_out",
    "engineNodeDrain": "node_drained",
    "engineNodeResume": "node_resumed",
    "userTradingStop": "user_trading_stopped",
    "userDataExport": "data_export_requested",
    "passwordResetRequest": "password_reset_requested",
    "passwordReset": "password_reset",
    "loginSessionRevoke": "login_session_revoked",
    "loginSessionConfirm": "login_session_confirmed",
    "loginSessionsRevoke": "login_sessions_revoked",
    "apiKeyCreate": "api_key_created",
    "apiKeyRevoke": "api_key_revoked",
    "accountCreate": "account_created",
    "accountUpdate": "account_updated",
    "accountArchive": "account_archived",
    "accountCredentialsReplace": "account_credentials_replaced",
    "paperDeposit": "paper_deposit",
    "accountTransferRecord": "account_transfer_recorded",
    "accountTransferUpdate": "account_transfer_updated",
    "positionProtect": "position_protection_set",
    "positionTag": "position_tagged",
    "strategyCreate": "strategy_created",
    "strategyUpdate": "strategy_updated",
    "strategyArchive": "strategy_archived",
    "tradingSessionPause": "trading_session_pause_requested",
    "tradingSessionResume": "trading_session_resume_requested",
    "tradingSessionStart": "trading_session_start_requested",
    "tradingSessionStop": "trading_session_stop_requested",
    "signalSubmit": "signal_received",
    "signalWebhookCreate": "signal_webhook_created",
    "signalWebhookRotate": "signal_webhook_rotated",
    "signalWebhookRevoke": "signal_webhook_revoked",
    "alertCreate": "alert_rule_created",
    "alertUpdate": "alert_rule_updated",
    "alertDelete": "alert_rule_deleted",
    "notificationChannelCreate": "notification_channel_created",
    "notificationChannelUpdate": "notification_channel_updated",
    "notificationChannelDelete": "notification_channel_deleted",
    "notificationChannelTest": "notification_channel_tested",
    "notificationChannelSecretRotate": "notification_channel_secret_rotated",
    "tradingHalt": "trading_halted",
    "tradingResume": "trading_resumed",
    "backtestRun": "backtest_requested",
    "optimizationRun": "optimization_requested",
    "jobCancel": "job_cancel_requested",
    "reportGenerate": "report_requested",
    "reportScheduleCreate": "report_schedule_created",
    "reportScheduleUpdate": "report_schedule_updated",
    "reportScheduleDelete": "report_schedule_deleted",
}
"""The name of the line for each activity of a user."""

ORDER_LINES: Mapping[OrderEventKind, tuple[str, int]] = {
    OrderEventKind.PENDING: ("order_pending", logging.INFO),
    OrderEventKind.DENIED: ("order_denied", logging.INFO),
    OrderEventKind.SUBMITTED: ("order_submitted", logging.INFO),
    OrderEventKind.IN_DOUBT: ("order_in_doubt", logging.WARNING),
    OrderEventKind.ACCEPTED: ("order_accepted", logging.INFO),
    OrderEventKind.FILL: ("fill", logging.INFO),
    OrderEventKind.TRIGGERED: ("order_triggered", logging.INFO),
    OrderEventKind.PENDING_CANCEL: ("order_cancel_requested", logging.INFO),
    OrderEventKind.CANCEL_REJECTED: ("order_cancel_rejected", logging.WARNING),
    OrderEventKind.CANCELED: ("order_canceled", logging.INFO),
    OrderEventKind.REJECTED: ("order_rejected", logging.WARNING),
    OrderEventKind.EXPIRED: ("order_expired", logging.INFO),
    OrderEventKind.RECONCILED: ("order_reconciled", logging.WARNING),
}
"""The name and the level of the line for each event of an order; a snapshot is none."""

TRADING_SESSION_LINES: Mapping[TradingSessionStatus, tuple[str, int]] = {
    TradingSessionStatus.STARTING: ("trading_session_started", logging.INFO),
    TradingSessionStatus.RUNNING: ("trading_session_running", logging.INFO),
    TradingSessionStatus.PAUSED: ("trading_session_paused", logging.INFO),
    TradingSessionStatus.STOPPING: ("trading_session_stopping", logging.INFO),
    TradingSessionStatus.STOPPED: ("trading_session_stopped", logging.INFO),
    TradingSessionStatus.FAILED: ("trading_session_failed", logging.WARNING),
}
"""The name and the level of the line for each status of a trading session."""

JOB_LINES: Mapping[JobStatus, tuple[str, int]] = {
    JobStatus.QUEUED: ("job_queued", logging.DEBUG),
    JobStatus.RUNNING: ("job_running", logging.DEBUG),
    JobStatus.SUCCEEDED: ("job_succeeded", logging.INFO),
    JobStatus.FAILED: ("job_failed", logging.WARNING),
    JobStatus.CANCELED: ("job_canceled", logging.INFO),
}
"""The name and the level of the line for each status of a job."""

OTHER_LINES: Mapping[str, int] = {
    "trading_session_waiting": logging.INFO,
    "trading_session_changed": logging.DEBUG,
    "account_changed": logging.DEBUG,
    "halt_made": logging.INFO,
    "halt_ended": logging.INFO,
    "position_changed": logging.DEBUG,
    "position_closed": logging.INFO,
    "signal": logging.INFO,
    "signal_missed": logging.INFO,
    "report_ready": logging.DEBUG,
    "scheduled_report_ready": logging.INFO,
    "scheduled_report_failed": logging.WARNING,
    "alert_recorded": logging.DEBUG,
    "alert_rule_fired": logging.INFO,
}
"""The level of each further line, by its name."""

_SUBJECT_IDS: Mapping[str | None, str] = {
    "User": "subject_user_id",  # the user_id of a line is whose event it is
    "ManagedUser": "subject_user_id",
    "LoginSession": "login_session_id",
    "ApiKey": "api_key_id",
    "Invitation": "invitation_id",
    "LinkedIdentity": "linked_identity_id",
    "Account": "account_id",
    "AccountTransfer": "account_transfer_id",
    "Plan": "plan_name",
    "Strategy": "strategy_id",
    "TradingSession": "trading_session_id",
    "SignalWebhook": "signal_webhook_id",
    "NotificationChannel": "notification_channel_id",
    "AlertRule": "alert_rule_id",
    "Position": "position_id",
    "Backtest": "backtest_id",
    "Optimization": "optimization_id",
    "Job": "job_id",
    "Report": "report_id",
    "ReportSchedule": "report_schedule_id",
}
"""The field with the id of an activity's subject, by the subject's type."""

_HALTED_IDS: Mapping[HaltLevel, str] = {
    HaltLevel.ACCOUNT: "account_id",
    HaltLevel.TRADING_SESSION: "trading_session_id",
}
"""The field with the id of what is halted; that of a user is in each line, and the engine has none."""

_MAY_WAIT = {TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING, TradingSessionStatus.STOPPING}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of the log; a field that is None isn't written."""

    level: int
    name: str
    fields: Mapping[str, object]


def log_events(events: Sequence[NewEvent]) -> None:
    """Log the events of a committed transaction, in their order."""
    for event in events:
        line = event_line(event)
        fields = {name: _log_value(value) for name, value in line.fields.items() if value is not None}
        log.log(line.level, line.name, user_id=str(event.user_id), **fields)


def event_line(event: NewEvent) -> EventLine:
    """Return the line of one event."""
    return _line(event.subject, event.message)


@singledispatch
def _line(subject: Subject | None, message: str | None) -> EventLine:
    """Return the line of an event without a subject: an alert, which its sender logs with its account."""
    return _other("alert_recorded", reason=message, subject_type=type(subject).__name__ if subject else None)


@_line.register
def _order_line(event: OrderEvent, _message: str | None) -> EventLine:
    name, level = ORDER_LINES.get(event.kind, (f"order_{event.kind.lower()}", logging.INFO))
    order, fill = event.order, event.fill
    fields: dict[str, object] = {
        "account_id": order.account_id,
        "trading_session_id": order.trading_session_id,
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "market": order.market,
        "side": order.side,
        "status": order.status,
    }
    if fill is not None:
        fields |= {"price": fill.price, "quantity": fill.quantity, "fee": fill.fee, "fee_currency": fill.fee_currency}
        fields |= {"venue_trade_id": fill.venue_trade_id, "filled_quantity": order.filled_quantity}
    else:
        fields |= {"type": order.type, "role": order.role, "quantity": order.quantity, "price": order.price}
        fields |= {"stop_price": order.stop_price, "reason": event.reason or order.reject_reason}
        fields |= {"denials": ",".join(denial.code for denial in order.denials) or None}
    return EventLine(level, name, fields)


@_line.register
def _session_line(session: TradingSession, message: str | None) -> EventLine:
    fields = {
        "account_id": session.account_id,
        "trading_session_id": session.id,
        "strategy_version_id": session.strategy_version_id,
        "market": ",".join(map(str, session.markets)),
        "timeframe": session.timeframe,
        "reason": session.status_reason,
    }
    if message != session.status.value:  # its trading state has changed, not its status
        return _other("trading_session_changed", **fields, trading_state=session.trading_state)
    if session.status in _MAY_WAIT and session.status_reason is not None:
        return _other("trading_session_waiting", **fields)
    name, level = TRADING_SESSION_LINES[session.status]
    return EventLine(level, name, fields)


@_line.register
def _position_line(position: Position, _message: str | None) -> EventLine:
    return _other(
        "position_closed" if position.closed_at else "position_changed",
        account_id=position.account_id,
        trading_session_id=position.trading_session_id,
        position_id=position.id,
        market=position.market,
        quantity=position.quantity,
        average_price=position.average_price,
        realized_profit=position.realized_profit,
    )


@_line.register
def _signal_line(signal: Signal, _message: str | None) -> EventLine:
    return _other(
        "signal_missed" if signal.missed else "signal",
        trading_session_id=signal.trading_session_id,
        signal_id=signal.id,
        order_id=signal.order_id,
        action=signal.action,
        price=signal.price,
    )


@_line.register
def _account_line(account: Account, _message: str | None) -> EventLine:
    # What was changed is in the line of the activity of the same transaction.
    return _other("account_changed", account_id=account.id, trading_state=account.trading_state)


@_line.register
def _halt_line(halt: Halt, _message: str | None) -> EventLine:
    subject = _HALTED_IDS.get(halt.level)
    return _other(
        "halt_ended" if halt.ended_at else "halt_made",
        **({} if subject is None else {subject: halt.subject_id}),
        halt_level=halt.level,
        trading_state=halt.state,
        by=halt.by,
    )


@_line.register
def _activity_line(activity: Activity, _message: str | None) -> EventLine:
    subject = {_SUBJECT_IDS.get(activity.subject_type, "subject"): activity.subject_id}
    name = ACTIVITY_LINES.get(activity.action, "activity")
    amount = activity.detail if name == "paper_deposit" else None  # the engine's words; other details are the user's
    action = activity.action if name == "activity" else None
    # The lines of the sessions themselves have the change; these only who requested it.
    level = logging.DEBUG if name.endswith("_requested") else logging.INFO
    return EventLine(level, name, {**subject, "amount": amount, "action": action})


@_line.register
def _job_line(job: Job, _message: str | None) -> EventLine:
    name, level = JOB_LINES[job.status]
    fields = {"job_id": job.id, "kind": job.kind, "result_type": job.result_type, "result_id": job.result_id}
    return EventLine(level, name, fields)


@_line.register
def _report_line(report: Report, _message: str | None) -> EventLine:
    return _other("report_ready", report_id=report.id, scope=report.scope, scope_id=report.scope_id)


@_line.register
def _scheduled_report_line(report: ScheduledReport, _message: str | None) -> EventLine:
    name = "scheduled_report_ready" if report.error is None else "scheduled_report_failed"
    left_out = report.left_out or None
    return _other(name, report_schedule_id=report.id, report_id=report.report_id, scope=report.scope, left_out=left_out)


@_line.register
def _alert_line(alert: FiredAlert, _message: str | None) -> EventLine:
    return _other("alert_rule_fired", alert_rule_id=alert.id, condition=alert.condition, market=alert.market)


def _other(name: str, **fields: object) -> EventLine:
    return EventLine(OTHER_LINES[name], name, fields)


def _log_value(value: object) -> object:
    """Return a value that the text and the JSON form of the log show alike."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, bool | int | float) else str(value)
