"""What went wrong at S3, in words of our own: what a server or a library says may quote keys, and is long."""

import re
from typing import Final

_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")

NO_SUCH_KEY: Final = "NoSuchKey"
_KEYS: Final = "check R3EDGE_ARCHIVE_S3_ACCESS_KEY and R3EDGE_ARCHIVE_S3_SECRET_KEY, and what that key may do"
_REGION: Final = "the bucket is in another region, which R3EDGE_ARCHIVE_S3_REGION must name"
_REASONS: Final = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": f"access is denied; {_KEYS}",
    "InvalidAccessKeyId": f"the server doesn't know the access key; {_KEYS}",
    "SignatureDoesNotMatch": f"the secret key is wrong; {_KEYS}",
    "ExpiredToken": "the credentials have expired",
    "RequestTimeTooSkewed": "this machine's clock and the server's differ by too much",
    "SlowDown": "the server is asked for too much at once",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "BadDigest": "what arrived isn't what was sent",
    "XAmzContentSHA256Mismatch": "what arrived isn't what was sent",
    "XMinioStorageFull": "the server's disks are full",
    "QuotaExceeded": "the bucket's quota is used up",
}
_SIGNS: Final = (
    ("Connection refused", "nothing listens there"),
    ("dns error", "its host's name isn't known"),
    ("UnknownIssuer", "its certificate is of an issuer that this machine doesn't trust"),
    ("CredentialsError", f"no credentials were found; {_KEYS}"),
    ("169.254.", f"no credentials were found; {_KEYS}"),
    ("LOCATION", _REGION),
    ("kind: Timeout", "it didn't answer in time"),
    ("TimedOut", "it didn't answer in time"),
    ("kind: Connect", "it can't be reached"),
    ("kind: Interrupted", "the connection broke"),
    ("kind: Decode", "the connection broke"),
)


def code_of(error: BaseException) -> str | None:
    """Return the code of S3's answer, such as `SlowDown`; None if there was none."""
    found = _CODE.search(str(error))
    return None if found is None else found[1]


def reason_of(error: BaseException) -> str:
    """Return in a few words why a request failed, with the server's code or status if it answered."""
    text = str(error)
    if (code := code_of(error)) is not None:
        known = _REASONS.get(code)
        return f"{known} ({code})" if known else f"the server answers {code}"
    for sign, reason in _SIGNS:
        if sign in text:
            return reason
    status = _STATUS.search(text)
    if status is not None:
        return f"access is denied (status 403); {_KEYS}" if status[1] == "403" else f"the server answers {status[1]}"
    return "the connection broke"
