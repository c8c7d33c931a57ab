"""Protections of positions and intents to close them as rows: their statements, and the conversion both ways."""

import msgspec

from domain.model.orders import OrderRole
from domain.model.protection import PositionIntent, PositionProtection, ProtectAt, ProtectionRules
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json
from infra.postgres.rows.mapper import RowMapper

_ROLES = members_by_value(OrderRole)
_PLACES = members_by_value(ProtectAt)
_RULES = msgspec.json.Decoder(ProtectionRules)

_PROTECTIONS = RowMapper(
    "position_protections",
    PositionProtection,
    decoders={
        "market": market_symbol,
        "rules": _RULES.decode,
        "targets_done": tuple,
        "protect_at": _PLACES.__getitem__,
    },
    encoders={"market": str, "rules": to_json, "targets_done": list},
)
_INTENTS = RowMapper(
    "position_intents",
    PositionIntent,
    decoders={"market": market_symbol, "role": _ROLES.__getitem__},
    encoders={"market": str},
)

SELECT_PROTECTION = _PROTECTIONS.select
INSERT_PROTECTION = _PROTECTIONS.insert()
UPDATE_PROTECTION = _PROTECTIONS.update("id", "user_id", "account_id", "market")
SELECT_INTENT = _INTENTS.select
INSERT_INTENT = _INTENTS.insert() + " ON CONFLICT DO NOTHING"
UPDATE_INTENT = _INTENTS.update("id", "user_id", "account_id", "market")

protection_from_row = _PROTECTIONS.from_row
protection_params = _PROTECTIONS.params
intent_from_row = _INTENTS.from_row
intent_params = _INTENTS.params
