"""Accounts, transfers and positions as rows: their columns, statements, and the conversion both ways."""

import msgspec

from domain.model.trading import Account, AccountKind, AccountTransfer, Position, RiskLimits, TransferKind
from domain.model.trading_state import TradingState
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json
from infra.postgres.rows.mapper import RowMapper

_ACCOUNT_KINDS = members_by_value(AccountKind)
_STATES = members_by_value(TradingState)
_TRANSFER_KINDS = members_by_value(TransferKind)
_RISK = msgspec.json.Decoder(RiskLimits)

_ACCOUNTS = RowMapper(
    "accounts",
    Account,
    decoders={"kind": _ACCOUNT_KINDS.__getitem__, "trading_state": _STATES.__getitem__, "risk": _RISK.decode},
    encoders={"risk": to_json},
    derived={"trading_state": "halt_state('ACCOUNT', accounts.id)"},
)
_TRANSFERS = RowMapper(
    "account_transfers", AccountTransfer, decoders={"kind": _TRANSFER_KINDS.__getitem__}, encoders={}
)
_POSITIONS = RowMapper(
    "positions",
    Position,
    decoders={"market": market_symbol, "unpriced_fees": tuple},
    encoders={"market": str, "unpriced_fees": list},
)

# The sealed credentials aren't part of an account: other statements read them, when requests are to be signed.
SELECT_ACCOUNT = _ACCOUNTS.select
ACCOUNT_COLUMNS = _ACCOUNTS.columns
INSERT_ACCOUNT = (
    f"INSERT INTO accounts ({_ACCOUNTS.columns}, sealed_credentials, key_hash)"
    f" VALUES ({_ACCOUNTS.placeholders}, ${len(_ACCOUNTS) + 1}, ${len(_ACCOUNTS) + 2})"
)
SELECT_TRANSFER = _TRANSFERS.select
INSERT_TRANSFER = _TRANSFERS.insert(on_conflict="account_id, reference")
SELECT_POSITION = _POSITIONS.select
SAVE_POSITION = _POSITIONS.upsert("id", "user_id", "account_id", "market", "trading_session_id")

account_from_row = _ACCOUNTS.from_row
account_params = _ACCOUNTS.params
transfer_from_row = _TRANSFERS.from_row
transfer_params = _TRANSFERS.params
position_from_row = _POSITIONS.from_row
position_params = _POSITIONS.params
