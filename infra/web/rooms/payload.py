"""The payload of one event of a room, and the forms in which it is sent."""

from collections.abc import Callable


class SharedPayload:
    """A JSON text that many subscribers get; each form of it is made once for all of them."""

    __slots__ = ("_forms", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._forms: dict[Callable[[str], bytes], bytes] = {}

    def encoded_by(self, encode: Callable[[str], bytes]) -> bytes:
        """Return what `encode`, a function of a module, makes of the text."""
        encoded = self._forms.get(encode)
        if encoded is None:
            encoded = self._forms[encode] = encode(self.text)
        return encoded
