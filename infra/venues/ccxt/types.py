"""The one name for values whose types ccxt doesn't tell; they become typed in `convert` and `user_stream`."""

from typing import Any, TypeAlias

Ccxt: TypeAlias = Any
