"""Causes: what nets do instead of learning, and how that is recognised.

A cause says of every net whether it holds, from recorded evidence (`arithjax.diagnosis.evidence`). Of each net the
first cause that holds, in the order of the registry, is the one that is told first. To add one:

    aj.CAUSES["slow"] = aj.Cause("slow", "still far", "are still far away", lambda evidence: evidence.failed)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from arithjax.diagnosis.evidence import Evidence, image
from arithjax.fields import names_of
from arithjax.registry import CAUSES, MODELS
from arithjax.tables.words import size

Holds = Bool[np.ndarray, " nets"]

NEAR = 0.05
"""How near a loss has to be to that of a trivial answer, relative to it."""
FALLS = 0.95
"""A net still learns if its error falls below this share of that at half its steps."""
TWICE = 0.5
"""A single change helps by itself if it brings the error to this share."""


@dataclass(frozen=True)
class Cause:
    """A cause.

    name: its name. short: in a few words, for a headline, such as `dead before the first step`.
    says: the rest of a sentence that begins with a share of the nets, such as `are dead before the first step`; or a
    function of the evidence and of which nets it holds for that gives it.
    holds: of the evidence, whether it holds for each net: booleans `[nets]`.
    remedies: kinds of changes (`arithjax.diagnosis.changes`) that are tried first.
    beside: whether it is only told beside another one.
    """

    name: str
    short: str
    says: str | Callable[[Evidence, Holds], str]
    holds: Callable[[Evidence], Holds]
    remedies: tuple[str, ...] = ()
    beside: bool = False

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.short

    def words(self, evidence: Evidence, holds: Holds) -> str:
        """The rest of the sentence about the nets for which it holds."""
        return self.says if isinstance(self.says, str) else self.says(evidence, holds)


def _dead(e: Evidence) -> Holds:
    return e.rows["dead"].to_numpy(bool) & e.at()["constant"].to_numpy(bool)


def _dead_at_start(e: Evidence) -> Holds:
    constant = e.curves.groupby("seed", sort=False)["constant"].all().loc[e.rows["seed"]].to_numpy(bool)
    return _dead(e) & constant & (e.at(0)["gradient_norm"].to_numpy(float) == 0)


def _died(e: Evidence) -> Holds:
    lived = ~e.curves.groupby("seed", sort=False)["constant"].all().loc[e.rows["seed"]].to_numpy(bool)
    return _dead(e) & (lived | (e.at()["gradient_norm"].to_numpy(float) == 0)) & ~_dead_at_start(e)


def _says_died(e: Evidence, holds: Holds) -> str:
    curves = e.curves[e.curves["seed"].isin(e.rows["seed"][holds])]
    alive = curves[~curves["constant"].astype(bool)].groupby("seed")["step"].max()
    later = [min(s for s in e.curves["step"].unique() if s > step) for step in alive] or [0]
    return f"die in training, half of them by step {np.median(later):,.0f}: then they answer one number to everything"


def _diverged(e: Evidence) -> Holds:
    return ~np.isfinite(e.at()["mse"].to_numpy(float)) | e.rows["diverged"].to_numpy(bool)


def _says_diverged(e: Evidence, holds: Holds) -> str:
    curves = e.curves[e.curves["seed"].isin(e.rows["seed"][holds])]
    lost = curves[~np.isfinite(curves["mse"])].groupby("seed")["step"].min()
    return f"diverge, half of them by step {lost.median():,.0f}: the steps are too large"


def _no_gradient(e: Evidence) -> Holds:
    return e.failed & (e.at()["gradient_norm"].to_numpy(float) == 0)


def _dense(e: Evidence) -> bool:
    return MODELS[names_of(e.setup.model)[0]].dense


def _outside(e: Evidence) -> Float[np.ndarray, " nets"]:
    """The share of each net's results that its output activation cannot give."""
    low, high = image(e.setup.output_activation) if _dense(e) else (-np.inf, np.inf)
    near = 1e-3 * np.ptp(e.shown, axis=0)
    outside = (e.shown < low - near) | (e.shown > high + near)
    return outside.reshape(-1, outside.shape[-1]).mean(0)


def _output_range(e: Evidence) -> Holds:
    return e.failed & (_outside(e) > 0.01)


def _says_output_range(e: Evidence, holds: Holds) -> str:
    (low, high), name = image(e.setup.output_activation), e.setup.output_activation
    below = bool((e.shown < low - 1e-3 * np.ptp(e.shown)).any())
    limit = f"below {low:.2g}" if below else f"above {high:.2g}"
    return f"cannot answer right: a {name} output is never {limit}, and {_outside(e).mean():.0%} of the results are"


def _saturated(e: Evidence) -> Holds:
    return e.failed & (e.flat >= 0.75)


def _unreached(e: Evidence) -> Holds:
    size, before = e.at()["size"].to_numpy(float), e.at(e.middle)["size"].to_numpy(float)
    around_zero = e.points.mean > 0.5 * e.points.zero  # then answers are small until they are right
    return e.failed & (size < (0.1 if around_zero else 0.5) * e.scale) & (size > 1.1 * before)


def _says_unreached(e: Evidence, holds: Holds) -> str:
    share = np.median(e.at()["size"].to_numpy(float)[holds]) / e.scale
    return f"have not got to numbers of this size: their answers are {share:.2g} times as large as they should be"


def _at_loss(loss: Callable[[Evidence], float]) -> Callable[[Evidence], Holds]:
    def holds(e: Evidence) -> Holds:
        with np.errstate(over="ignore", invalid="ignore"):
            return e.failed & (np.abs(e.at()["mse"].to_numpy(float) / max(loss(e), 1e-300) - 1) < NEAR)

    return holds


def _plane(e: Evidence) -> Holds:
    flat = e.points.plane < 0.9 * e.points.mean  # else the best plane is hardly better than the mean
    return _at_loss(lambda e: e.points.plane)(e) & flat


def _says_plane(e: Evidence, holds: Holds) -> str:
    names = {*names_of(e.setup.activation), e.setup.output_activation}
    linear = (_dense(e) and names == {"linear"}) or not _dense(e)
    return "answer the best plane through the results" + (", all that layers without a bend can" if linear else "")


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def _homogeneous(e: Evidence) -> Holds:
    """Which nets double their answer when all arguments double, though the results do not."""
    if e.setup.low > 0 or e.setup.high < 0:
        return np.zeros(len(e.rows), bool)

    def bent(whole: np.ndarray, half: np.ndarray) -> np.ndarray:
        """How far answers are from twice those to half the arguments."""
        return np.sqrt(((whole - 2 * half) ** 2).mean(0) / (whole**2).mean(0))

    bend = bent(np.ravel(e.points.t.astype(float)), np.ravel(e.half_results))
    nets = len(e.rows)
    return (
        e.failed & ~_dead(e) & (bent(e.answers.reshape(-1, nets), e.halves.reshape(-1, nets)) < 0.15) & bool(bend > 0.3)
    )


def _says_homogeneous(e: Evidence, holds: Holds) -> str:
    both = "both numbers double" if e.points.x.shape[1] == 2 else "the numbers double"
    these = "layers of relu with small biases" if _dense(e) else "layers without biases"
    return f"double their answer when {both}, as {these} must, and the results do not"


def _step(e: Evidence) -> Holds:
    """Which nets are a step function along a = b, in each result: hardly ever changing, and not constant."""
    span = np.ptp(e.along, axis=0)
    still = (np.abs(np.diff(e.along, axis=0)) < 1e-3 * span).mean(0)
    steps = (span > 0.1 * np.asarray(e.points.scale)[..., None]) & (still > 0.8)
    return e.failed & ~_dead(e) & steps.reshape(-1, steps.shape[-1]).all(0)


def _outlying(e: Evidence) -> Holds:
    return e.failed & (_held(e) > 0.5)


def _held(e: Evidence) -> float:
    """The share of the squares of the results, about their mean, that the largest 1 % hold."""
    squares = (e.points.t.astype(float) - e.points.t.mean(0)) ** 2
    if squares.ndim > 1:  # of several results each over its own variance
        squares = (squares / np.maximum(squares.mean(0), 1e-300)).sum(1)
    squares = np.sort(squares)
    return float(squares[-max(1, len(squares) // 100) :].sum() / max(squares.sum(), 1e-300))


def _says_outlying(e: Evidence, holds: Holds) -> str:
    return f"fit the few largest results: 1 % of them hold {_held(e):.0%} of what the loss counts"


def _helps(e: Evidence, kind: str) -> bool:
    effect = e.effects.get(kind)
    return effect is not None and effect.after < TWICE * effect.before


def _falling(e: Evidence) -> Holds:
    now, before = (e.at(step)["relative_rmse"].to_numpy(float) for step in (None, e.middle))
    with np.errstate(invalid="ignore"):
        return e.failed & ~_dead(e) & (now < FALLS * before)


def _slow(e: Evidence) -> Holds:
    effect = e.effects.get("rate")
    faster = effect is not None and _rate_in(effect.change) > e.setup.learning_rate
    return e.failed & ~_dead(e) & bool(faster and _helps(e, "rate"))


def _rate_in(change: str) -> float:
    return float(change.split()[-1]) if change.startswith("rate ") and change[-1].isdigit() else 0.0


def _says_effect(kind: str, begins: str) -> Callable[[Evidence, Holds], str]:
    def says(e: Evidence, holds: Holds) -> str:
        effect = e.effects[kind]
        return f"{begins}: {effect.change} alone brings the error from {size(effect.before)} to {size(effect.after)}"

    return says


def _too_few(e: Evidence) -> Holds:
    return e.failed & ~_dead(e) & ~_falling(e) & (_helps(e, "width") or _helps(e, "depth"))


def _says_falling(e: Evidence, holds: Holds) -> str:
    now, before = (np.median(e.at(step)["relative_rmse"].to_numpy(float)[holds]) for step in (None, e.middle))
    return f"still learn when they stop: the second half of the steps brought the error to {now / before:.0%} of itself"


def _settled(e: Evidence) -> Holds:
    return e.failed & ~_dead(e) & ~_falling(e)


def _says_settled(e: Evidence, holds: Holds) -> str:
    if not np.any(e.points.scale):
        rmse = np.sqrt(np.median(e.at()["mse"].to_numpy(float)[holds]))
        return f"have settled at an RMSE of {rmse:.2g}, where all results are 0"
    error = np.median(e.at()["relative_rmse"].to_numpy(float)[holds])
    return f"have settled at an error of {size(error)} of the results' spread"


def _beyond(e: Evidence) -> Holds:
    return ~e.failed & e.rows["extrapolation_solved"].eq(False).fillna(False).to_numpy(bool)  # None: not asked


def _learns(e: Evidence) -> Holds:
    return ~e.failed


CAUSES.fill(
    Cause,
    [
        Cause("diverges", "diverging", _says_diverged, _diverged, ("rate", "transforms", "optimizer")),
        Cause(
            "output_range",
            "unable to give these results with its output",
            _says_output_range,
            _output_range,
            ("output", "targets"),
        ),
        Cause(
            "dead_at_start",
            "dead before the first step",
            "are dead before the first step: they answer one number to everything, and no gradient can change that",
            _dead_at_start,
            ("output", "activation", "transforms", "layer", "initializer"),
        ),
        Cause(
            "unreached",
            "far from numbers of this size",
            _says_unreached,
            _unreached,
            ("targets", "transforms", "rate", "steps"),
        ),
        Cause("died", "dead", _says_died, _died, ("output", "rate", "transforms", "activation")),
        Cause(
            "no_gradient",
            "without a gradient",
            "have a gradient of exactly 0 in the end",
            _no_gradient,
            ("output", "activation"),
            beside=True,
        ),
        Cause(
            "saturated",
            "blind to inputs as large as these",
            "are blind to most inputs: these are so large that the first layer is at an end of its activation",
            _saturated,
            ("inputs", "transforms", "activation"),
        ),
        Cause("outlying", "fitting a few huge results alone", _says_outlying, _outlying, ("targets", "transforms")),
        Cause(
            "homogeneous",
            "only proportional to the numbers",
            _says_homogeneous,
            _homogeneous,
            ("layer", "activation", "transforms", "steps"),
        ),
        Cause("zero", "answering 0", "answer about 0", _at_loss(lambda e: e.points.zero), ("transforms", "rate")),
        Cause("mean", "answering the mean", "answer about the mean of the results", _at_loss(lambda e: e.points.mean)),
        Cause("plane", "answering the best plane", _says_plane, _plane, ("activation", "layer", "unit")),
        Cause("step", "a step function", "answer a step function", _step, ("inputs", "transforms", "activation")),
        Cause("slow", "moving too slowly", _says_effect("rate", "move too slowly"), _slow, ("rate", "optimizer")),
        Cause(
            "too_few",
            "of too few units",
            lambda e, holds: _says_effect("width" if _helps(e, "width") else "depth", "have too few units")(e, holds),
            _too_few,
            ("width", "depth"),
        ),
        Cause("still_learning", "still learning", _says_falling, _falling, ("steps", "rate", "optimizer")),
        Cause("settled", "settled too early", _says_settled, _settled, ("activation", "width", "rate")),
        Cause("beyond", "right within the range, wrong beyond it", "are wrong beyond the training range", _beyond),
        Cause("learns", "fine", "learn it", _learns),
    ],
)
"""The causes, those first that explain most."""


def detected(evidence: Evidence) -> dict[str, Holds]:
    """For which nets each cause holds, those of all registered that hold for any; one that fails is left out."""
    found = {}
    for name, cause in CAUSES.items():
        try:
            found[name] = np.asarray(cause.holds(evidence), bool)
        except Exception as error:  # a user's own, when the nets are trained already
            warnings.warn(f"cause '{name}' could not be tested ({type(error).__name__}: {error}).", stacklevel=2)
    return {name: holds for name, holds in found.items() if holds.any()}


def first_of_each(found: dict[str, Any]) -> dict[str, Holds]:
    """The nets for which each cause is the first that holds; causes that are only told beside others are left out."""
    told, taken = {}, None
    for name, holds in found.items():
        if CAUSES[name].beside:
            continue
        taken = np.zeros(len(holds), bool) if taken is None else taken
        if (mine := holds & ~taken).any():
            told[name] = mine
        taken = taken | holds
    return told
