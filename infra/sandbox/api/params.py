"""Reads a request's parameters; missing and malformed ones raise Binance's errors."""

import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from infra.sandbox.errors import ExchangeError, IllegalParameterError, MissingParameterError, bad_symbol
from infra.sandbox.fixed_point import PLACES, parse_units

AMOUNT = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_.:/]{1,36}$")
NUMBER = re.compile(r"^[0-9]{1,18}$")
END_OF_TIME_MS = 1 << 62
MAX_UNITS = (1 << 63) - 1
"""What the state can hold."""
_Choice = TypeVar("_Choice", bound=StrEnum)


class Params:
    """The parameters of one request by name; `names` maps what is asked for to what a request calls it, "" for none."""

    def __init__(self, values: dict[str, str], names: Mapping[str, str] = MappingProxyType({})) -> None:
        self._values = values
        self._names = names

    @classmethod
    def of_query(cls, *texts: str) -> "Params":
        """Read query strings and form bodies, the first one winning."""
        values: dict[str, str] = {}
        for text in texts:
            for name, value in parse_qsl(text, keep_blank_values=True):
                values.setdefault(name, value)
        return cls(values)

    def renamed(self, names: Mapping[str, str]) -> "Params":
        """Return the same parameters under other names."""
        return Params(self._values, names)

    def name_of(self, name: str) -> str:
        """Return what the request calls a parameter."""
        return self._names.get(name, name)

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        return self._values.get(self.name_of(name) or "no such parameter", default)

    def required(self, name: str) -> str:
        """Return a mandatory parameter."""
        if not (value := self.get(name)):
            raise MissingParameterError(self.name_of(name))
        return value

    def number(self, name: str) -> int | None:
        """Return a whole number, None if it wasn't sent."""
        value = self.get(name)
        if value and not NUMBER.match(value):
            raise IllegalParameterError(self.name_of(name), NUMBER.pattern)
        return int(value) if value else None

    def limit(self, default: int, most: int) -> int:
        """Return `limit`, at most `most`."""
        value = self.number("limit")
        if value == 0:
            raise ExchangeError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if value is None else value, most)

    def symbols(self) -> list[str] | None:
        """Return the markets in `symbol` or `symbols`, None without either; raises -1128 for both."""
        listed = self.get("symbols")
        if listed and self.get("symbol"):
            raise ExchangeError(-1128, "Combination of optional parameters invalid.")
        if not listed:
            return [self.get("symbol")] if self.get("symbol") else None
        try:
            return msgspec.json.decode(listed, type=list[str])
        except msgspec.DecodeError:
            raise bad_symbol() from None

    def period(self) -> tuple[int, int]:
        """Return `startTime` and `endTime` in ms, wide open if they weren't sent."""
        start, end = self.number("startTime") or 0, self.number("endTime")
        end = END_OF_TIME_MS if end is None else end
        if start > end:
            raise ExchangeError(-1127, "Start time is greater than end time.")
        return min(start, END_OF_TIME_MS), min(end, END_OF_TIME_MS)

    def amount(self, name: str) -> int:
        """Return an amount in units of 1e-8, 0 if it wasn't sent."""
        value = self.get(name)
        if not value:
            return 0
        if not AMOUNT.match(value):
            raise IllegalParameterError(self.name_of(name), AMOUNT.pattern)
        if len(value.partition(".")[2].rstrip("0")) > PLACES:
            raise ExchangeError(-1111, f"Parameter '{self.name_of(name)}' has too much precision.")
        whole, _, fraction = value.partition(".")
        units = parse_units(f"{whole}.{fraction[:PLACES]}")
        if units > MAX_UNITS:
            raise ExchangeError(-1108, f"Parameter '{self.name_of(name)}' overflowed.")
        return units

    def choice(self, name: str, kinds: type[_Choice], code: int, message: str) -> _Choice:
        """Return a member of an enum, or raise the error `code` with `message`."""
        try:
            return kinds(self.required(name))
        except ValueError:
            raise ExchangeError(code, message) from None

    def client_id(self, name: str) -> str:
        """Return a client order id, or a new one if none was sent."""
        value = self.get(name)
        if value and not CLIENT_ID.match(value):
            raise IllegalParameterError(self.name_of(name), CLIENT_ID.pattern)
        return value or secrets.token_hex(11)
