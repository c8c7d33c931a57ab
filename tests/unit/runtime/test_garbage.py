"""What the engine begins with is left out of later searches for dead cycles, and what comes later is not."""

import gc
import weakref

from infra.runtime.garbage import spare_what_is_there


class Ring:
    """Refers to itself, so that counting references never frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_present_objects_are_spared_and_later_cycles_still_end() -> None:
    present = Ring()
    spare_what_is_there()
    try:
        assert not any(each is present for each in gc.get_objects())
        later = weakref.ref(Ring())
        gc.collect()
        assert later() is None
    finally:
        gc.unfreeze()
