"""Representation: how arguments and results are shown to a net, each as one number or several, and losses that fit.

Setups are checked with these functions while they are made; `s` is always the setup.
"""

from __future__ import annotations

from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.ranges import check_transform
from arithjax.registry import LOSSES, OPERATIONS, TRANSFORMS


def input_encoder(s: Any) -> Any:
    """The `Encoder` of the arguments; None where each is shown as one number.

    It holds the closed interval of each argument and, where `extrapolation` names some, those as well.
    """
    transform = TRANSFORMS[s.input_transform]
    if not transform.several:
        return None
    shown = [s.spans, *(s.spans_beyond if s.extrapolation is not None else ())]
    ends = zip(*([span.ends for span in spans] for spans in shown), strict=True)
    hulls = tuple((min(low for low, _ in of), max(high for _, high in of)) for of in ends)
    return transform.bound(hulls, tuple(span.whole for span in s.spans))


def target_encoder(s: Any) -> Any:
    """The `Encoder` of the results, which holds the closed interval of each; None where each is one number."""
    transform = TRANSFORMS[s.target_transform]
    if not transform.several:
        return None
    return transform.bound(*OPERATIONS[s.op].result_bounds(s.spans, s.precision))


def check_inputs(s: Any) -> None:
    """An encoding of arguments shows no more numbers than are allowed, and of all that a threshold is judged on."""
    encoder = s.input_encoder
    if encoder is None:
        return
    encoder.check("input_transform", "arguments")
    if encoder.encoding.whole and s.threshold is not None and s.extrapolation is None:
        raise ArithjaxError(
            f"threshold={s.threshold:g} is judged on the extrapolation range, for whose numbers "
            f"input_transform={s.input_transform} has no code unless extrapolation names them; set extrapolation."
        )


def check_targets(s: Any) -> None:
    """The target transform is defined on all results, and fresh ones can be computed inside a program."""
    found = s.trial
    encoder = s.target_encoder
    whole = encoder is not None and all(column.whole for column in encoder.columns)
    ends = [end for interval in (found.bounds if encoder is None else encoder.bounds) for end in interval]
    smallest, largest = (found.smallest, found.largest) if encoder is None else (min(ends), max(ends))
    reach = 6 * s.noise  # of which one target in a billion goes beyond
    check_transform(s, "target_transform", smallest - reach, largest + reach, "targets", whole)
    if encoder is not None:
        encoder.check("target_transform", "results")
        if s.noise:
            raise ArithjaxError(
                f"noise={s.noise:g} makes results that target_transform={s.target_transform} has no code for; set "
                "noise=0, or choose another transform, such as standardize."
            )
    if s.fresh and not found.traced:
        raise ArithjaxError(
            f"fresh=True computes {s.op} inside the training program, in {s.precision}, which its function cannot or "
            "which rounds too much; set fresh=False, or write the function with jax.numpy and a smaller range."
        )


def check_loss(s: Any) -> None:
    """A cross entropy has a linear output, and targets of 0 and 1; one of the user's is finite for the targets."""
    loss = LOSSES[s.loss]
    if not LOSSES.ours(s.loss) and not loss.shared:
        _check_own_loss(s, loss)
    if loss.link is None and not loss.shared:
        return
    if s.output_activation != "linear":
        raise ArithjaxError(
            f"loss={s.loss} reads outputs as they are before a sigmoid or softmax; set output_activation=linear, not "
            f"{s.output_activation}."
        )
    if loss.shared and not s.blocks:
        raise ArithjaxError(
            f"loss={s.loss} is for classes, one-hot targets; set target_transform=onehot or digits:10, not "
            f"{s.target_transform}, or loss=bit_cross_entropy for results that are true or false."
        )
    if not loss.shared and not _zeros_and_ones(s):
        raise ArithjaxError(
            f"loss={s.loss} is for targets of 0 and 1, and target_transform={s.target_transform} makes others of "
            f"{s.op}; set target_transform=binary, onehot or thermometer, or raw where results are true or false; or "
            "set loss=mse."
        )
    if s.noise:
        raise ArithjaxError(
            f"noise={s.noise:g} makes targets other than 0 and 1, which loss={s.loss} is for; set noise=0, or loss=mse."
        )


def _check_own_loss(s: Any, loss: Any) -> None:
    """A loss of the user's is finite, and has a gradient, for targets as the net is shown them."""
    if (encoder := s.target_encoder) is not None:
        ends = (0.0, 1.0) if encoder.shows_bits else (-1.0, 1.0)
    else:
        ends = TRANSFORMS[s.target_transform].shown(s.trial.smallest, s.trial.largest)
    if found := loss.obstacle(*ends):
        raise ArithjaxError(
            f"loss={s.loss} cannot train {s.op}: {found}, and targets go from {ends[0]:.4g} to {ends[1]:.4g} as the "
            f"net is shown them (target_transform={s.target_transform}); change the loss, the transform or the range."
        )


def _zeros_and_ones(s: Any) -> bool:
    """Whether all targets are 0 or 1, as far as those that were seen tell."""
    if (encoder := s.target_encoder) is not None:
        return bool(encoder.shows_bits)
    return s.target_transform == "raw" and bool(s.trial.values) and set(s.trial.values) <= {0.0, 1.0}
