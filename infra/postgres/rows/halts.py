"""Which halts apply to what a trading session, or a hand, trades on an account: the levels from the engine down."""

from domain.model.trading_state import ENGINE_ID, HaltLevel


def applies_to(user_id: str, account_id: str, trading_session_id: str) -> str:
    """Return the condition on a row of `halts` that it applies to what these columns or parameters name.

    `halt_forbids` in the database has the same levels.
    """
    subjects = {
        HaltLevel.ENGINE: f"'{ENGINE_ID}'",
        HaltLevel.USER: user_id,
        HaltLevel.ACCOUNT: account_id,
        HaltLevel.TRADING_SESSION: trading_session_id,
    }
    pairs = ", ".join(f"('{level}', {subject})" for level, subject in subjects.items())
    return f"(level, subject_id) IN ({pairs})"
