"""The order of lists of positions."""

from resolvers.lists import PositionOrder
from schema.common.enums import describe_enum

describe_enum(
    PositionOrder,
    "The order of a list of positions.",
    {
        "OPENED_NEWEST_FIRST": "By the time of opening, newest first.",
        "OPENED_OLDEST_FIRST": "By the time of opening, oldest first.",
        "CLOSED_NEWEST_FIRST": "By the time of closing, newest first. Open positions are left out.",
        "CLOSED_OLDEST_FIRST": "By the time of closing, oldest first. Open positions are left out.",
    },
)
