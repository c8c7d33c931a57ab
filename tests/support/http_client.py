"""HTTP clients for servers on loopback."""

import ssl
from typing import Any

import httpx

from tests.support.waiting import PATIENCE_SECONDS

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(**options: Any) -> httpx.AsyncClient:
    """Return a patient client of plain HTTP: to read the certificates of all authorities takes 40 ms of computing."""
    return httpx.AsyncClient(verify=_NO_CERTIFICATES, **{"timeout": PATIENCE_SECONDS, **options})
