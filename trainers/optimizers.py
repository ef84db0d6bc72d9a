"""AdamW as the BERT family trains with it."""

import keras
from keras import ops

from tfplm.experiment import OptimizerConfig
from trainers.schedules import build_schedule


@keras.saving.register_keras_serializable(package="tfplm")
class AdamW(keras.optimizers.AdamW):
    """AdamW that clips by the global norm and keeps that norm, so that it can be logged.

    Vectors and scalars (biases, norm scales) are not decayed: they are told by their rank.

    Source: Loshchilov and Hutter 2019, algorithm 2; Pascanu et al. 2013 for clipping.
    """

    def __init__(self, *args, clip_to_norm: float | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip_to_norm = clip_to_norm

    def build(self, variables):
        if not self.built:
            self.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
        super().build(variables)
        if not hasattr(self, "gradient_norm"):
            # Of the last step, before clipping; float32 scalar.
            self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is not None and not self.built:
            with keras.name_scope(self.name):
                self.build(trainable_variables)
        gradients = [None if g is None else ops.convert_to_tensor(g) for g in grads]
        norm = ops.sqrt(sum(ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None))
        if self.clip_to_norm is not None:
            scale = self.clip_to_norm / ops.maximum(norm, self.clip_to_norm)
            gradients = [None if g is None else g * ops.cast(scale, g.dtype) for g in gradients]
        result = super().apply(gradients, trainable_variables)
        self.gradient_norm.assign(norm)
        return result

    def get_config(self) -> dict:
        return super().get_config() | {"clip_to_norm": self.clip_to_norm}


def build_optimizer(config: OptimizerConfig, total_steps: int) -> AdamW:
    """The optimizer and schedule of a run of ``total_steps`` steps."""
    return AdamW(
        learning_rate=build_schedule(config, total_steps),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        epsilon=config.epsilon,
        clip_to_norm=config.global_clipnorm,
    )
