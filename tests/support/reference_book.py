"""The book of a recording, computed independently from the file, to compare the engine's books with."""

import gzip
import json
from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

Rows = list[tuple[Decimal, Decimal]]


class PlainBook:
    """Quantities by price, and the prices in order."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self._bid_prices: list[Decimal] = []
        self._ask_prices: list[Decimal] = []

    def top(self, levels: int) -> tuple[Rows, Rows]:
        """Return the best bids and asks, best first."""
        bids = [(price, self.bids[price]) for price in reversed(self._bid_prices[-levels:])]
        return bids, [(price, self.asks[price]) for price in self._ask_prices[:levels]]

    def set(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        """Set the quantities of some prices."""
        for side, prices, rows in ((self.bids, self._bid_prices, bids), (self.asks, self._ask_prices, asks)):
            for price_text, quantity_text in rows:
                price, quantity = Decimal(price_text), Decimal(quantity_text)
                if side.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
                if quantity:
                    side[price] = quantity
                    insort(prices, price)


class RecordedBook(PlainBook):
    """The recorded book after each recorded update, `first_id` the number of the first update after the snapshot."""

    def __init__(self, *recordings: Path) -> None:
        super().__init__()
        self._messages = messages(*recordings)
        self.first_id = 0
        self.event: dict[str, Any] = {}
        early = []
        for message in self._messages:
            if "lastUpdateId" in message:
                break
            early.append(message)
        self.snapshot_id = self.update_id = message["lastUpdateId"]
        self.set(message["bids"], message["asks"])
        for message in early:
            self._apply(message)

    def advance(self) -> bool:
        """Apply the next recorded update; return False after the last."""
        for message in self._messages:
            if self._apply(message):
                self.first_id = self.first_id or message["data"]["U"]
                return True
        return False

    def _apply(self, message: dict[str, Any]) -> bool:
        event = message.get("data", {})
        if event.get("e") != "depthUpdate":
            return False
        if event["u"] > self.snapshot_id:  # earlier updates are part of the snapshot
            self.set(event["b"], event["a"])
        self.update_id, self.event = event["u"], event
        return True

    def snapshot(self, levels: int) -> dict[str, Any]:
        """Return the book in the form of the venue's answer."""
        bids, asks = ([[str(price), str(held)] for price, held in side] for side in self.top(levels))
        return {"lastUpdateId": self.update_id, "bids": bids, "asks": asks}


def messages(*recordings: Path) -> Iterator[dict[str, Any]]:
    """Yield the recorded depth messages, in order."""
    for recording in recordings:
        with gzip.open(recording, "rb") as lines:
            for line in lines:
                if b"pdate" in line:  # depthUpdate and lastUpdateId
                    yield json.loads(line.partition(b" ")[2])
