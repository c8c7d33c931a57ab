"""Proposes parameters by Optuna's tree-structured Parzen estimator (TPE).

J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011. Nothing is kept
between two calls: each builds a study from the given trials, some 0.1 ms for each of them. Optuna is loaded by the
first call: a node starts without it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from domain.ports.parameter_sampler import TriedPoint

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

RANDOM_TRIALS = 10
"""How many trials are spread at random before the first one that learns from them."""


class TpeSampler:
    """Implements `domain.ports.parameter_sampler.ParameterSampler`."""

    def propose(self, counts: Sequence[int], tried: Sequence[TriedPoint], seed: int) -> tuple[int, ...]:
        import optuna  # noqa: PLC0415  # see above

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            seed=seed % 2**32, n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        space: dict[str, BaseDistribution] = {
            str(index): optuna.distributions.IntDistribution(0, count - 1) for index, count in enumerate(counts)
        }
        study.add_trials([_frozen(point, space) for point in tried])
        proposed = study.ask(space).params
        return tuple(int(proposed[name]) for name in space)


def _frozen(tried: TriedPoint, space: Mapping[str, "BaseDistribution"]) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415  # see above

    value = float("-inf") if tried.score is None else tried.score
    return create_trial(
        state=TrialState.COMPLETE if tried.has_ended else TrialState.RUNNING,
        value=value if tried.has_ended else None,
        params=dict(zip(space, tried.point, strict=True)),
        distributions=dict(space),
    )
