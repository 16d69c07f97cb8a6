"""Which small neural networks learn arithmetic, why the others do not, and how to build one that does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as in `PUBLIC`, for type checkers and editors
    from arithjax import export as export
    from arithjax import protocols as protocols
    from arithjax import report as report
    from arithjax.diagnosis.causes import Cause as Cause
    from arithjax.diagnosis.combinations import Combinations as Combinations
    from arithjax.diagnosis.why import why as why
    from arithjax.errors import ArithjaxError as ArithjaxError
    from arithjax.models import FlaxModel as FlaxModel
    from arithjax.models import UnitModel as UnitModel
    from arithjax.models.activations import Activation as Activation
    from arithjax.models.initializers import Initializer as Initializer
    from arithjax.nets import exact_share as exact_share
    from arithjax.nets import fit as fit
    from arithjax.nets import fresh_pairs as fresh_pairs
    from arithjax.nets import load_net as load_net
    from arithjax.nets import net as net
    from arithjax.nets import net_again as net_again
    from arithjax.nets import retrain as retrain
    from arithjax.registry import ACTIVATIONS as ACTIVATIONS
    from arithjax.registry import CAUSES as CAUSES
    from arithjax.registry import DISTRIBUTIONS as DISTRIBUTIONS
    from arithjax.registry import INITIALIZERS as INITIALIZERS
    from arithjax.registry import LOSSES as LOSSES
    from arithjax.registry import METRICS as METRICS
    from arithjax.registry import MODELS as MODELS
    from arithjax.registry import OPERATIONS as OPERATIONS
    from arithjax.registry import OPTIMIZERS as OPTIMIZERS
    from arithjax.registry import RAMPS as RAMPS
    from arithjax.registry import SCHEDULES as SCHEDULES
    from arithjax.registry import TRANSFORMS as TRANSFORMS
    from arithjax.report.along import along as along
    from arithjax.report.answer import Answer as Answer
    from arithjax.report.picture import Picture as Picture
    from arithjax.report.picture import dots as dots
    from arithjax.report.picture import grid as grid
    from arithjax.report.picture import lines as lines
    from arithjax.report.picture import published as published
    from arithjax.report.picture import scatter as scatter
    from arithjax.report.picture import sets as sets
    from arithjax.report.recipes import recipes as recipes
    from arithjax.report.words import brief as brief
    from arithjax.report.words import listed as listed
    from arithjax.report.words import rate_of as rate_of
    from arithjax.report.words import share as share
    from arithjax.setup import Setup as Setup
    from arithjax.studies.runner import run as run
    from arithjax.studies.study import Study as Study
    from arithjax.tables.loading import load as load
    from arithjax.tables.objectives import front as front
    from arithjax.tables.statistics import compare as compare
    from arithjax.tables.statistics import median_net as median_net
    from arithjax.tables.statistics import summarise as summarise
    from arithjax.tables.statistics import wilson as wilson
    from arithjax.tables.statistics import yardsticks as yardsticks
    from arithjax.task.arguments import Argument as Argument
    from arithjax.task.datasets import Dataset as Dataset
    from arithjax.task.distributions import Distribution as Distribution
    from arithjax.task.encodings import Encoding as Encoding
    from arithjax.task.operations import Operation as Operation
    from arithjax.task.transforms import Transform as Transform
    from arithjax.training.callbacks import Evaluation as Evaluation
    from arithjax.training.curves import curves as curves
    from arithjax.training.metrics import Metric as Metric
    from arithjax.training.optimizers import Loss as Loss
    from arithjax.training.optimizers import Optimizer as Optimizer
    from arithjax.training.schedules import Ramp as Ramp
    from arithjax.training.schedules import Schedule as Schedule
    from arithjax.training.workers import train as train

__version__ = "0.1.0"

PUBLIC = {
    # a question, and what it is asked of
    "Setup": "arithjax.setup:Setup",
    "Study": "arithjax.studies.study:Study",
    "ArithjaxError": "arithjax.errors:ArithjaxError",
    "protocols": "arithjax.protocols",
    # why a net does not learn
    "why": "arithjax.diagnosis.why:why",
    "Combinations": "arithjax.diagnosis.combinations:Combinations",
    # training: studies, setups, single nets
    "run": "arithjax.studies.runner:run",
    "train": "arithjax.training.workers:train",
    "Evaluation": "arithjax.training.callbacks:Evaluation",
    "curves": "arithjax.training.curves:curves",
    "fit": "arithjax.nets:fit",
    "net": "arithjax.nets:net",
    "load_net": "arithjax.nets:load_net",
    "retrain": "arithjax.nets:retrain",
    "net_again": "arithjax.nets:net_again",
    "fresh_pairs": "arithjax.nets:fresh_pairs",
    "exact_share": "arithjax.nets:exact_share",
    "export": "arithjax.export",
    # tables and reports
    "load": "arithjax.tables.loading:load",
    "summarise": "arithjax.tables.statistics:summarise",
    "compare": "arithjax.tables.statistics:compare",
    "yardsticks": "arithjax.tables.statistics:yardsticks",
    "wilson": "arithjax.tables.statistics:wilson",
    "front": "arithjax.tables.objectives:front",
    "median_net": "arithjax.tables.statistics:median_net",
    "report": "arithjax.report",
    "share": "arithjax.report.words:share",
    "rate_of": "arithjax.report.words:rate_of",
    "brief": "arithjax.report.words:brief",
    "listed": "arithjax.report.words:listed",
    # answers of studies, and their pictures
    "Answer": "arithjax.report.answer:Answer",
    "Picture": "arithjax.report.picture:Picture",
    "dots": "arithjax.report.picture:dots",
    "grid": "arithjax.report.picture:grid",
    "lines": "arithjax.report.picture:lines",
    "published": "arithjax.report.picture:published",
    "scatter": "arithjax.report.picture:scatter",
    "sets": "arithjax.report.picture:sets",
    "along": "arithjax.report.along:along",
    "recipes": "arithjax.report.recipes:recipes",
    # registries and the classes of their members
    "OPERATIONS": "arithjax.registry:OPERATIONS",
    "Operation": "arithjax.task.operations:Operation",
    "Dataset": "arithjax.task.datasets:Dataset",
    "Argument": "arithjax.task.arguments:Argument",
    "TRANSFORMS": "arithjax.registry:TRANSFORMS",
    "Transform": "arithjax.task.transforms:Transform",
    "Encoding": "arithjax.task.encodings:Encoding",
    "DISTRIBUTIONS": "arithjax.registry:DISTRIBUTIONS",
    "Distribution": "arithjax.task.distributions:Distribution",
    "MODELS": "arithjax.registry:MODELS",
    "FlaxModel": "arithjax.models:FlaxModel",
    "UnitModel": "arithjax.models:UnitModel",
    "ACTIVATIONS": "arithjax.registry:ACTIVATIONS",
    "Activation": "arithjax.models.activations:Activation",
    "INITIALIZERS": "arithjax.registry:INITIALIZERS",
    "Initializer": "arithjax.models.initializers:Initializer",
    "OPTIMIZERS": "arithjax.registry:OPTIMIZERS",
    "Optimizer": "arithjax.training.optimizers:Optimizer",
    "SCHEDULES": "arithjax.registry:SCHEDULES",
    "Schedule": "arithjax.training.schedules:Schedule",
    "LOSSES": "arithjax.registry:LOSSES",
    "Loss": "arithjax.training.optimizers:Loss",
    "METRICS": "arithjax.registry:METRICS",
    "Metric": "arithjax.training.metrics:Metric",
    "RAMPS": "arithjax.registry:RAMPS",
    "Ramp": "arithjax.training.schedules:Ramp",
    "CAUSES": "arithjax.registry:CAUSES",
    "Cause": "arithjax.diagnosis.causes:Cause",
}
"""The public face: a name, and `module:attribute` or the module that it stands for, imported when it is first used."""

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used, so that loading a table starts no jax."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'arithjax' has no attribute '{name}'")
    module, _, attribute = PUBLIC[name].partition(":")
    home = importlib.import_module(module)
    value = getattr(home, attribute) if attribute else home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
