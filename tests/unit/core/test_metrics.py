from hypothesis import given
from hypothesis import strategies as st

from domain.core.metrics import LatencyHistogram


@given(st.lists(st.floats(0, 10)), st.sets(st.floats(0, 10), min_size=1))
def test_every_value_is_counted_in_the_bucket_of_the_least_bound_that_holds_it(
    values: list[float], bounds: set[float]
) -> None:
    histogram = LatencyHistogram(sorted(bounds))
    for value in values:
        histogram.observe(value)
    for number, bound in enumerate(histogram.bounds):
        assert sum(histogram.counts[: number + 1]) == sum(value <= bound for value in values)
    assert sum(histogram.counts) == len(values)
