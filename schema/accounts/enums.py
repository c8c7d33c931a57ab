"""The enums of accounts."""

from domain.model import trading as domain
from domain.model.trading import AccountKind
from schema.common.enums import describe_enum

describe_enum(
    AccountKind,
    "Whether an account trades with real money.",
    {
        "PAPER": "The account trades with play money, at a venue that isn't live.",
        "LIVE": "The account trades with real money, through the user's credentials at the venue.",
    },
)


describe_enum(
    domain.TransferKind,
    "The kind of a transfer.",
    {
        "OPENING": "The account's balance when it was opened.",
        "DEPOSIT": "Money that was paid in.",
        "WITHDRAWAL": "Money that was paid out.",
        "ADJUSTMENT": (
            "A change of the balance at the venue that no fill and no known transfer explains, such as a deposit at "
            "the venue, a trade in another client, or interest. `at` is the time at which the engine noticed it."
        ),
    },
    name="AccountTransferKind",
)
