"""The kinds of events."""

from domain.model.events import UserEventKind
from schema.common.enums import describe_enum

describe_enum(
    UserEventKind,
    "What an event of the event log is about.",
    {
        "ORDER": "An order changed.",
        "FILL": "An order, or a part of it, was filled.",
        "POSITION": "A position was opened, changed or closed.",
        "SIGNAL": "A strategy gave a signal.",
        "TRADING_SESSION": "A trading session changed.",
        "ACCOUNT": "An account changed.",
        "HALT": "A halt that stops trading of the user was made or ended, by the user or by an operator.",
        "JOB": "The status of a job changed.",
        "REPORT": "A report is complete.",
        "ALERT": "Something needs the user's attention, or an alert rule has fired. `message` describes it.",
        "ACTIVITY": "The user did something.",
    },
)
