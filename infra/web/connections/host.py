"""The addresses of our own WebSockets, for content security policies."""

import re
from typing import Final

_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)


def socket_origins(host: str) -> str:
    """Return ` ws://… wss://…` for this `Host`, named since some browsers don't count them as `self`; else nothing."""
    return f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
