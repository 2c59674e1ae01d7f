"""Which weights learn, and how fast: frozen layers, schedules, rates for single variables.

Source: Long, Shelhamer and Darrell 2015, section 4.3 (twice the rate for biases); the poly schedule
as in Chen et al. 2018 (DeepLab), the cosine as in Loshchilov and Hutter 2017, section 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fcn_tutorial.errors import check_choice
from fcn_tutorial.fcn import new_layers
from fcn_tutorial.recipe import Recipe

NOT_DECAYED = ("bias", "gamma", "beta")

ByPath = Mapping[str, float] | None  # a number for some variables, by their path


def poly(done):
    """Share of the learning rate, 1 to 0, when the share `done` (0..1) of the steps is taken."""
    return (1 - done) ** 0.9


def cosine(done):
    """As `poly`, along half a cosine: slow at both ends, fast in the middle."""
    return (1 + ops.cos(np.pi * done)) / 2


def constant(done):
    """As `poly`, for a rate that stays as it is."""
    return ops.ones_like(done)


SCHEDULES = {"cosine": cosine, "poly": poly, "constant": constant}


@keras.saving.register_keras_serializable("fcn_tutorial")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that grows linearly from 0 for `warmup` steps and then follows a schedule.

    rate: the highest learning rate. schedule: "cosine", "poly" or "constant". steps: of the run;
    beyond them the rate stays at its last value.
    """

    def __init__(self, rate: float, schedule: str, steps: int, warmup: int = 0) -> None:
        self.rate, self.schedule, self.steps, self.warmup = rate, schedule, steps, warmup

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        grown = ops.minimum(step / max(1, self.warmup), 1.0) if self.warmup else 1.0
        done = ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        return self.rate * grown * SCHEDULES[self.schedule](done)

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))


class Discriminative(keras.optimizers.Optimizer):
    """Mixin for a Keras optimizer: a rate, or L2, of their own for some variables.

    rates: {path: multiple of the learning rate}. l2: {path: multiple of the weight that is added to
    its gradient}.
    """

    def __init__(self, *args: Any, rates: ByPath = None, l2: ByPath = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rates, self.l2 = rates or {}, l2 or {}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        path = self._trainable_variables[self._get_variable_index(variable)].path
        if l2 := self.l2.get(path, 0.0):
            gradient = gradient + l2 * ops.cast(variable, gradient.dtype)
        super().update_step(gradient, variable, self.rates.get(path, 1.0) * learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rates": self.rates, "l2": self.l2}


@keras.saving.register_keras_serializable("fcn_tutorial")
class DiscriminativeAdamW(Discriminative, keras.optimizers.AdamW):
    """AdamW with a rate of its own for some variables; biases and normalization do not decay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exclude_from_weight_decay(var_names=list(NOT_DECAYED))


@keras.saving.register_keras_serializable("fcn_tutorial")
class DiscriminativeAdam(Discriminative, keras.optimizers.Adam):
    """Adam with a rate and L2 of its own for some variables."""


@keras.saving.register_keras_serializable("fcn_tutorial")
class DiscriminativeSGD(Discriminative, keras.optimizers.SGD):
    """SGD with a rate and L2 of its own for some variables."""


def build_optimizer(
    recipe: Recipe, model: keras.Model, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """The recipe's optimizer: its schedule, and rates and decay variable by variable.

    model: whose weights it will change; it has not seen them yet. steps_per_epoch: turns the
    recipe's epochs into steps.
    """
    steps, warmup = (int(n * steps_per_epoch) for n in (recipe.epochs, recipe.warmup_epochs))
    schedule = Schedule(recipe.learning_rate, recipe.schedule, steps, warmup)
    new = new_layers(recipe.backbone)
    rates = {weight.path: _rate(recipe, weight, new) for weight in model.trainable_weights}
    decayed = [weight.path for weight in model.trainable_weights if weight.name not in NOT_DECAYED]
    l2 = dict.fromkeys(decayed, recipe.weight_decay)
    options: dict[str, Any] = {"rates": rates, "use_ema": recipe.ema_momentum > 0}
    options["ema_momentum"] = recipe.ema_momentum
    if recipe.optimizer == "sgd":
        return DiscriminativeSGD(schedule, momentum=recipe.momentum, l2=l2, **options)
    if recipe.optimizer == "adam":
        return DiscriminativeAdam(schedule, l2=l2, **options)
    return DiscriminativeAdamW(schedule, weight_decay=recipe.weight_decay, **options)


def _rate(recipe: Recipe, weight: keras.Variable, new: Sequence[str]) -> float:
    """A weight's learning rate, as a multiple of the recipe's; `new` layers learn at its own."""
    of_layer = 1.0 if weight.path.partition("/")[0] in new else recipe.trunk_learning_rate
    return of_layer * (recipe.bias_learning_rate if weight.name == "bias" else 1.0)


def freeze(model: keras.Model, last: str = "", normalization: bool = False) -> None:
    """Keep a model's layers from learning, by their `trainable`.

    last: name of a layer; it and those before it stay as they are. "" freezes none. normalization:
    also keep all normalization, with its means and variances. InputError where no layer has that
    name.
    """
    names = [layer.name for layer in model.layers]
    if last:
        check_choice("layer in 'freeze'", last, names)
    for layer in model.layers[: names.index(last) + 1 if last else 0]:
        layer.trainable = False
    for layer in model.layers if normalization else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
