"""Rules for emails, passwords and names."""

import unicodedata

import email_validator

from domain.core.errors import ErrorCode, InputError

MINIMUM_PASSWORD_LENGTH = 10
MAXIMUM_PASSWORD_LENGTH = 256
MAXIMUM_EMAIL_LENGTH = 254
"""RFC 5321, 4.5.3.1.3: a path has at most 256 octets, two of them its angle brackets."""

MAXIMUM_NAME_LENGTH = 100

# A mail server of the own network takes mails to a host of it (.local): such an address is as good.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normalise_email(text: str) -> str:
    """Return the form in which an email is looked up: in lower case, without surrounding space.

    Raises `InputError` (INVALID) for what can be no email at all. It is more lenient than `validate_email`, so that a
    user who was registered under older rules can still log in.
    """
    # Canonical caseless matching (Unicode, 3.13): lower case alone leaves a micro sign and the Greek letter different.
    folded = unicodedata.normalize("NFD", text.strip()).casefold()
    email = unicodedata.normalize("NFC", folded)
    name, _, host = email.rpartition("@")
    if not name or "." not in host or len(email) > MAXIMUM_EMAIL_LENGTH or not email.isprintable():
        raise _email_error(email)
    return email


def validate_email(text: str) -> str:
    """Return the email of a new user, normalised; raise `InputError` (INVALID) unless its syntax is valid.

    RFC 5321, 5322 and 6531 (international addresses), and the host has a dot. No DNS is asked: whether mail arrives
    there is the owner's concern.
    """
    email = normalise_email(text)
    written = unicodedata.normalize("NFC", text.strip())
    if written.casefold() != written.lower():
        # The host of straße.de is xn--strae-oqa.de, and strasse.de is somebody else's.
        message = f"{written!r} has a letter (such as ß) that stands for others in lower case; write it with those."
        raise InputError(ErrorCode.INVALID, message, ("input", "email"))
    try:
        email_validator.validate_email(email, check_deliverability=False, strict=True)
    except email_validator.EmailNotValidError:
        raise _email_error(email) from None
    return email


def _email_error(email: str) -> InputError:
    shown = email if len(email) <= MAXIMUM_EMAIL_LENGTH else f"{email[:40]}…"
    message = f"{shown!r} is not an email address such as ada@example.com."
    return InputError(ErrorCode.INVALID, message, ("input", "email"))


def validate_password(password: str) -> None:
    """Raise `InputError` if the password has fewer than 10 or more than 256 characters, or isn't text."""
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        raise InputError(
            ErrorCode.PASSWORD_TOO_WEAK,
            f"The password has {len(password)} characters; it must have at least {MINIMUM_PASSWORD_LENGTH}.",
            ("input", "password"),
        )
    if len(password) > MAXIMUM_PASSWORD_LENGTH:
        raise InputError(
            ErrorCode.INVALID,
            f"The password has {len(password)} characters; it may have at most {MAXIMUM_PASSWORD_LENGTH}.",
            ("input", "password"),
        )
    if not is_encodable(password):
        raise InputError(
            ErrorCode.INVALID,
            "The password has half of a surrogate pair in it, which is no text.",
            ("input", "password"),
        )


def is_encodable(text: str) -> bool:
    """Return whether the text can be encoded as UTF-8; JSON can contain halves of surrogate pairs, which can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def normalise_name(text: str, field: str) -> str:
    """Return a display name without surrounding space; raise `InputError` if it is empty, too long or unprintable."""
    name = text.strip()
    if not name or len(name) > MAXIMUM_NAME_LENGTH or not name.isprintable():
        raise InputError(
            ErrorCode.INVALID,
            f"{field} must have 1 to {MAXIMUM_NAME_LENGTH} printable characters, and has {len(name)}.",
            ("input", field),
        )
    return name
