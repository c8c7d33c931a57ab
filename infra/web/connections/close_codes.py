"""The codes with which a WebSocket is closed."""

from enum import IntEnum


class CloseCode(IntEnum):
    """RFC 6455, 7.4.1, the registry of IANA, and from 4400 on those of graphql-transport-ws."""

    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_OPERATION = 4409
    TOO_MANY_INITS = 4429
