"""Ports for programs that a test starts, kills and starts again in the same place."""

import itertools
import os
import random
import socket

_FIRST, _LAST = 20_000, 32_000
"""Below the ephemeral ports of Linux (32,768 on), so that nobody gets the port of a program that is down."""
_WORKER_SHARE = 1_500

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_start = _FIRST + _worker * _WORKER_SHARE % (_LAST - _FIRST)
_offsets = itertools.count(random.SystemRandom().randrange(_WORKER_SHARE))


def free_port() -> int:
    """Return a port of loopback on which nobody listens, and which no other process of this run of pytest is given."""
    while True:
        port = _start + next(_offsets) % _WORKER_SHARE
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
