"""What users say about themselves, and how the engine speaks to them."""

import re
import zoneinfo
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.users import User

_LOCALE: Final = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")
"""Language, script and region of BCP 47 (RFC 5646, 2.1)."""

_CURRENCY: Final = re.compile(r"[A-Z0-9]{2,20}")


_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})
"""Files beside the zones, which name no place: another machine has another one, or none."""


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """Changes of a profile; a field that isn't given stays as it is."""

    time_zone: str | Unchanged | None = UNCHANGED
    locale: str | Unchanged | None = UNCHANGED
    report_currency: str | Unchanged | None = UNCHANGED
    notify_sign_in: bool | Unchanged | None = UNCHANGED


def normalise_profile(changes: ProfileChanges) -> ProfileChanges:
    """Return the changes as they are stored; raises `InputErrors` with all that is wrong."""
    reject_nulls(timeZone=changes.time_zone, locale=changes.locale, notifications=changes.notify_sign_in)
    errors, locale, currency = [], changes.locale, changes.report_currency
    if isinstance(changes.time_zone, str) and changes.time_zone not in _time_zones():
        message = f"{_quoted(changes.time_zone)} is not a time zone of the IANA database, such as Europe/Vienna or UTC."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "timeZone")))
    if isinstance(locale, str):
        match = _LOCALE.fullmatch(locale)
        if match is None:
            message = f"{_quoted(locale)} is not a language tag such as en, de-AT or zh-Hant-TW."
            errors.append(InputError(ErrorCode.INVALID, message, ("input", "locale")))
        else:
            language, script, region = match.groups(default="")
            parts = (language.lower(), script.title(), region.upper())
            locale = "-".join(part for part in parts if part)
    if isinstance(currency, str):
        currency = currency_code(currency)
        if currency is None:
            message = f"{_quoted(str(changes.report_currency))} is not a currency such as EUR or USDT."
            errors.append(InputError(ErrorCode.INVALID, message, ("input", "reportCurrency")))
    if errors:
        raise InputErrors(errors)
    return replace(changes, locale=locale, report_currency=currency)


def currency_code(text: str) -> str | None:
    """Return the code of a currency in upper case; None if it can be none."""
    code = text.strip().upper()
    return code if _CURRENCY.fullmatch(code) else None


def with_profile(user: User, changes: ProfileChanges) -> User:
    """Return the user with normalised changes."""
    notify = changes.notify_sign_in
    return replace(
        user,
        time_zone=value_or_current(changes.time_zone, user.time_zone) or user.time_zone,
        locale=value_or_current(changes.locale, user.locale) or user.locale,
        report_currency=value_or_current(changes.report_currency, user.report_currency),
        notify_sign_in=notify if isinstance(notify, bool) else user.notify_sign_in,
    )


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES


def _quoted(text: str) -> str:
    return repr(text[:50])
