"""What holds of every ranking, whatever the results were."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.indicators.trend import TrendDirection
from domain.model.recommendations import WalkForwardAnalysis
from domain.recommendations.ranking import of_trend, rank
from domain.recommendations.reasons import CONVINCING, reason
from tests.support.analyses import a_result, an_analysis, moments

SHARPE = st.none() | st.floats(-0.3, 0.3)
RESULT = st.builds(a_result, SHARPE, SHARPE, SHARPE)
ANALYSES = st.lists(st.none() | RESULT, max_size=12).map(
    lambda results: [an_analysis(result, bytes([index])) for index, result in enumerate(results)]
)
DIRECTION = st.sampled_from(TrendDirection)


@given(analyses=ANALYSES, direction=DIRECTION)
def test_the_best_comes_first_and_scores_are_probabilities(
    analyses: list[WalkForwardAnalysis], direction: TrendDirection
) -> None:
    ranked = rank(analyses, direction)
    assert {one.analysis.definition_hash for one in ranked} == {
        analysis.definition_hash for analysis in analyses if analysis.result is not None
    }
    assert all(0 <= one.score <= 1 for one in ranked)
    assert all(better.score >= worse.score for better, worse in pairwise(ranked))


@given(analyses=ANALYSES, direction=DIRECTION, seed=st.randoms())
def test_the_order_in_which_they_are_given_only_decides_between_equal_ones(
    analyses: list[WalkForwardAnalysis],
    direction: TrendDirection,
    seed: "st.randoms.Random",  # type: ignore[name-defined]
) -> None:
    shuffled = list(analyses)
    seed.shuffle(shuffled)
    one, two = rank(analyses, direction), rank(shuffled, direction)
    assert [each.score for each in one] == pytest.approx([each.score for each in two])
    sharpes = [
        [(found.sharpe if (found := of_trend(each.result, direction).moments) else 0.0) for each in ranked]
        for ranked in (one, two)
    ]
    assert sharpes[0] == sharpes[1]


@given(analyses=ANALYSES, direction=DIRECTION)
def test_who_earned_nothing_in_all_or_in_the_present_trend_scores_nothing(
    analyses: list[WalkForwardAnalysis], direction: TrendDirection
) -> None:
    for one in rank(analyses, direction):
        found = of_trend(one.result, direction).moments
        if found is None or found.sharpe <= 0 or one.result.metrics.net_profit <= 0:
            assert one.score == 0
            assert "recommends it" in reason(one, direction) or "nothing is known" in reason(one, direction)


@given(result=RESULT, count=st.integers(1, 40), direction=DIRECTION)
def test_the_more_were_compared_the_less_a_result_means(result: object, count: int, direction: TrendDirection) -> None:
    best = a_result(0.2, 0.2, 0.2)
    others = [a_result(sharpe, sharpe, sharpe) for sharpe in (-0.05, 0.05)]
    few = rank([an_analysis(each, bytes([i])) for i, each in enumerate([best, *others])], direction)
    many = rank([an_analysis(each, bytes([i])) for i, each in enumerate([best, *others * count])], direction)
    assert few[0].result == many[0].result == best
    if count > 1:
        assert many[0].score <= few[0].score


def test_past_stretches_of_the_present_trend_decide() -> None:
    bull, bear = an_analysis(a_result(0.2, -0.1, 0.0), b"bull"), an_analysis(a_result(-0.1, 0.2, 0.0), b"bear")
    for direction, first in ((TrendDirection.UP, b"bull"), (TrendDirection.DOWN, b"bear")):
        ranked = rank([bear, bull], direction)
        assert ranked[0].analysis.definition_hash == first
        assert ranked[0].score > 0 == ranked[1].score


def test_who_made_no_trade_comes_before_who_lost() -> None:
    idle, loser = an_analysis(a_result(None, None, None), b"idle"), an_analysis(a_result(-0.1, -0.1, -0.1), b"lost")
    ranked = rank([loser, idle], TrendDirection.UP)
    assert [one.analysis.definition_hash for one in ranked] == [b"idle", b"lost"]
    assert [one.score for one in ranked] == [0, 0]


def test_a_longer_sample_means_more() -> None:
    result = a_result(0.1, 0.1, 0.1)
    short = replace(result, up=replace(result.up, moments=moments(0.1, days=50)))
    scores = [rank([an_analysis(one)], TrendDirection.UP)[0].score for one in (short, result)]
    assert scores[0] < scores[1]


TRADED = (
    "The market trends up. In 7 past stretches of that kind, 400 of the last 1,200 candles, the strategy {}; over all "
    "of them it {}, with a profit in {} of 5 parts, while the price fell by 3.2 %. {}"
)
LIKELY = "With one strategy compared, the probability that this is more than luck is 100%."
UNLIKELY = "That can be luck: with one strategy compared, the probability that it is more is 87%."
IDLE = "The market trends up. In the last 1,200 candles the strategy made no trade. So nothing is known of it."


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (a_result(0.25, -0.1, 0.0), TRADED.format("earned 25.00 %", "earned 1.00 %", 3, LIKELY)),
        (a_result(0.05, 0.0, 0.0), TRADED.format("earned 5.00 %", "earned 1.00 %", 3, UNLIKELY)),
        (a_result(-0.1, 0.0, 0.0), TRADED.format("lost 10.00 %", "lost 1.00 %", 1, "Nothing recommends it now.")),
        (a_result(None, None, None), IDLE),
    ],
)
def test_the_reason_is_said_in_plain_words(result: object, words: str) -> None:
    (ranked,) = rank([an_analysis(result)], TrendDirection.UP)  # type: ignore[arg-type]
    assert reason(ranked, TrendDirection.UP) == words
    assert (ranked.score >= CONVINCING) == ("more than luck" in words)


def test_without_a_stretch_like_the_present_one_all_candles_count() -> None:
    result = a_result(0.1, 0.1, 0.1)
    result = replace(result, down=replace(result.down, candles=0, stretches=0, growth_percent=0.0))
    (ranked,) = rank([an_analysis(result)], TrendDirection.DOWN)
    assert "There was no such stretch in the last 800 candles" in reason(ranked, TrendDirection.DOWN)
