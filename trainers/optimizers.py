"""The optimizers: Keras's, with clipping by the norm of the whole batch's gradient, and float16's loss scaling."""

from collections.abc import Mapping

import keras
from keras import ops

from tfplm.training_configuration import OptimizerConfig
from trainers.learning_pace import Paces
from trainers.schedules import build_schedule

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class GlobalNormClipping:
    """Mixed into a Keras optimizer: clips by the global norm, keeps that norm, decays matrices only, paces variables.

    Under a tf.distribute strategy the gradients are summed over the replicas before the norm is taken, so that it is
    that of the true batch; Keras itself would clip on every replica and then sum. Vectors and scalars (biases, norm
    scales) are not decayed: they are told by their rank. Decay is decoupled: the variable shrinks by learning rate ×
    decay before its step, whatever the gradient was. Sparse gradients are made dense.

    A variable can have a learning rate of its own, a multiple of the common one, and a first step, before which it
    stays as it is; its decay follows. Its moments are gathered from the beginning, and its gradient counts in the norm.

    Source: Pascanu et al. 2013 for clipping; Loshchilov and Hutter 2019, algorithm 2, for the decay.

    Args:
        clip_to_norm: gradients of a larger norm are scaled down to it; None leaves them alone.
        rate_factors: what the learning rate is multiplied by, by the path of the variable; those not named: 1.
        first_steps: the number of the first step, from 0, that moves a variable, by its path; those not named: 0.

    Attributes:
        gradients_are_reduced: set it where `apply` gets gradients that are summed over the replicas already.
        gradient_norm: of the last step, before clipping; float32 scalar variable, there once the optimizer is built.
    """

    gradients_are_reduced = False

    def __init__(
        self,
        *args,
        clip_to_norm: float | None = None,
        rate_factors: Mapping[str, float] | None = None,
        first_steps: Mapping[str, int] | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.clip_to_norm = clip_to_norm
        self.rate_factors, self.first_steps = dict(rate_factors or {}), dict(first_steps or {})

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        paths = [variable.path for variable in variables]
        if unknown := sorted({*self.rate_factors, *self.first_steps}.difference(paths)):
            raise ValueError(f"got a learning rate of {unknown[0]}, expected one of the variables that are trained")
        self._paces = [(self.rate_factors.get(path, 1.0), self.first_steps.get(path, 0)) for path in paths]
        self.gradient_norm = self.add_variable(
            (), dtype="float32", aggregation="only_first_replica", name="gradient_norm"
        )

    def apply(self, grads, trainable_variables=None):
        """Clips and takes one step; ``grads`` belong to ``trainable_variables``, or to those it was built with."""
        if trainable_variables is not None and not self.built:
            with keras.name_scope(self.name):
                self.build(list(trainable_variables))
        gradients = _dense(grads) if self.gradients_are_reduced else _summed_over_replicas(_dense(grads))
        norm = ops.sqrt(sum(ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None))
        if self.clip_to_norm is not None:
            scale = self.clip_to_norm / ops.maximum(norm, self.clip_to_norm)
            gradients = [None if g is None else g * ops.cast(scale, g.dtype) for g in gradients]
        super().apply(gradients, trainable_variables)
        self.gradient_norm.assign(norm)

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = self._own_rate(variable, learning_rate)
        self._decay(variable, learning_rate)
        super().update_step(gradient, variable, learning_rate)

    def _own_rate(self, variable, learning_rate):
        """The variable's learning rate at this step; without a pace of its own ``learning_rate`` itself."""
        factor, first_step = self._paces[self._get_variable_index(variable)]
        if factor != 1.0:
            learning_rate = learning_rate * factor
        if first_step:
            learning_rate = ops.where(self.iterations >= first_step, learning_rate, 0.0)
        return learning_rate

    def _decays(self, variable) -> bool:
        return len(variable.shape) > 1 and self._use_weight_decay(variable)

    def _decay(self, variable, learning_rate) -> None:
        if self.weight_decay and self._decays(variable):
            self.assign_sub(variable, variable * ops.cast(learning_rate * self.weight_decay, variable.dtype))

    def _apply_weight_decay(self, variables):
        """Replaces Keras's pass over all variables: `update_step` decays each."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Replaces Keras's sum over the replicas on TensorFlow: `apply` has taken it, before it clipped."""
        return grads_and_vars

    def get_config(self) -> dict:
        paces = {"rate_factors": self.rate_factors, "first_steps": self.first_steps}
        return super().get_config() | {"clip_to_norm": self.clip_to_norm} | paces


def _dense(gradients) -> list:
    # On TensorFlow keras.ops leaves a sparse gradient sparse, with rows that stand in it twice.
    convert = tf.convert_to_tensor if keras.backend.backend() == "tensorflow" else ops.convert_to_tensor
    return [None if g is None else convert(g) for g in gradients]


def _summed_over_replicas(gradients: list) -> list:
    replica = tf.distribute.get_replica_context() if keras.backend.backend() == "tensorflow" else None
    if replica is None or replica.num_replicas_in_sync == 1:
        return gradients
    summed = iter(replica.all_reduce(tf.distribute.ReduceOp.SUM, [g for g in gradients if g is not None]))
    return [None if g is None else next(summed) for g in gradients]


class _FusedAdamW(keras.optimizers.AdamW):
    """Takes Adam's step on TensorFlow with the one kernel that TensorFlow has for it: the same arithmetic as Keras."""

    def update_step(self, gradient, variable, learning_rate):
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index, dtype = self._get_variable_index(variable), variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=ops.cast(self.beta_1, dtype),
            beta2=ops.cast(self.beta_2, dtype),
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(gradient, dtype),
        )


@keras.saving.register_keras_serializable(package="tfplm")
class AdamW(GlobalNormClipping, _FusedAdamW):
    """Adam with decoupled weight decay.

    Source: Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
    """


@keras.saving.register_keras_serializable(package="tfplm")
class Lamb(GlobalNormClipping, keras.optimizers.Lamb):
    """AdamW whose step on each matrix is as long as learning rate × the matrix's own norm.

    Keras's Lamb decays apart from that ratio, and takes it of vectors too. Here the decay is part of the step that is
    measured, as in the paper, and vectors take Adam's step, as in the authors' code.

    Source: You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2.
    """

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = self._own_rate(variable, learning_rate)
        index, dtype = self._get_variable_index(variable), variable.dtype
        m, v = self._momentums[index], self._velocities[index]
        gradient = ops.cast(gradient, dtype)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))

        step = ops.cast(self.iterations + 1, dtype)
        unbiased_m = m / (1 - ops.power(ops.cast(self.beta_1, dtype), step))
        unbiased_v = v / (1 - ops.power(ops.cast(self.beta_2, dtype), step))
        update = unbiased_m / (ops.sqrt(unbiased_v) + self.epsilon)
        if self._decays(variable):
            update = update + variable * ops.cast(self.weight_decay or 0.0, dtype)
            update = update * _trust_ratio(variable, update)
        self.assign_sub(variable, update * ops.cast(learning_rate, dtype))


def _trust_ratio(variable, update):
    """The norm of the variable over that of its update; 1 where either is 0."""
    variable_norm = ops.sqrt(ops.sum(ops.square(variable)))
    update_norm = ops.sqrt(ops.sum(ops.square(update)))
    moves = ops.logical_and(variable_norm > 0, update_norm > 0)
    return ops.where(moves, variable_norm / ops.where(moves, update_norm, 1.0), 1.0)


@keras.saving.register_keras_serializable(package="tfplm")
class Lion(GlobalNormClipping, keras.optimizers.Lion):
    """A step by the sign of a momentum: one state a parameter, a smaller learning rate, a larger decay than AdamW.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2.
    """


class _FactoredMoments(keras.optimizers.Adafactor):
    """Keras's Adafactor without the whole second moment, which it keeps beside the factors."""

    def build(self, variables):
        keras.optimizers.Optimizer.build(self, variables)
        self._rows, self._columns, self._moments = [], [], []
        for variable in variables:
            shape, matrix = tuple(variable.shape), len(variable.shape) > 1
            name = variable.path.replace("/", "_")
            self._rows.append(self.add_variable(shape[:-1], name=f"{name}_row") if matrix else None)
            self._columns.append(self.add_variable((*shape[:-2], shape[-1]), name=f"{name}_column") if matrix else None)
            self._moments.append(None if matrix else self.add_variable(shape, name=f"{name}_moment"))

    def update_step(self, gradient, variable, learning_rate):
        index, dtype = self._get_variable_index(variable), variable.dtype
        gradient = ops.cast(gradient, dtype)
        update = gradient * ops.cast(self._inverse_root_moment(gradient, index), dtype)
        update = update / ops.maximum(1.0, _root_mean_square(update) / self.clip_threshold)
        size = ops.maximum(_root_mean_square(variable), self.epsilon_2)
        self.assign_sub(variable, update * (size * ops.cast(learning_rate, dtype)))

    def _inverse_root_moment(self, gradient, index: int):
        """Takes the gradient's squares into the moments; returns 1 / their square root, which broadcasts to it."""
        decay = 1.0 - ops.power(ops.cast(self.iterations + 1, gradient.dtype), self.beta_2_decay)
        squares = ops.square(gradient) + self.epsilon_1
        if self._moments[index] is not None:
            return ops.rsqrt(self._averaged(self._moments[index], squares, decay))
        rows = self._averaged(self._rows[index], ops.mean(squares, axis=-1), decay)
        columns = self._averaged(self._columns[index], ops.mean(squares, axis=-2), decay)
        shares = rows / ops.mean(rows, axis=-1, keepdims=True)
        # Two roots, not the root of a product: that of two factors without any gradient would be 0, and 0 / 0 follows.
        return ops.expand_dims(ops.rsqrt(shares), -1) * ops.expand_dims(ops.rsqrt(columns), -2)

    def _averaged(self, moment, value, decay):
        averaged = moment * decay + value * (1.0 - decay)
        self.assign(moment, averaged)
        return averaged


def _root_mean_square(x):
    return ops.sqrt(ops.mean(ops.square(x)))


@keras.saving.register_keras_serializable(package="tfplm")
class Adafactor(GlobalNormClipping, _FactoredMoments):
    """Second moments as the product of a row and a column; learning rates relative to the size of the parameters.

    Unlike Keras's, it keeps no whole second moment of a matrix, and does not cap the learning rate at 1 / sqrt(step):
    a step is learning rate × max(``epsilon_2``, root mean square of the variable).

    Source: Shazeer and Stern 2018, algorithms 4 and 5, with a given learning rate and no first moment.
    """

    def __init__(self, *args, relative_step: bool = False, **kwargs):
        if relative_step:
            raise ValueError("got relative_step=True, expected False: the learning rate or its schedule says the step")
        super().__init__(*args, relative_step=False, **kwargs)


@keras.saving.register_keras_serializable(package="tfplm")
class Muon(GlobalNormClipping, keras.optimizers.Muon):
    """Orthogonal steps on the hidden matrices, Adam's on embeddings, classifiers and vectors.

    The step is scaled so that learning rate and decay may be AdamW's. The projection of queries, keys and values is
    one matrix to it.

    Source: Jordan 2024, "Muon"; Liu et al. 2025, "Muon is Scalable for LLM Training", section 2.2.
    """

    def __init__(
        self,
        *args,
        weight_decay: float = 0.1,
        adam_beta_2: float = 0.95,
        epsilon: float = 1e-8,
        exclude_layers: tuple[str, ...] = ("(^|/)classifier/",),
        **kwargs,
    ):
        super().__init__(
            *args,
            weight_decay=weight_decay,
            adam_weight_decay=weight_decay,
            adam_beta_2=adam_beta_2,
            epsilon=epsilon,
            exclude_layers=list(exclude_layers),
            **kwargs,
        )

    def get_config(self) -> dict:
        config = super().get_config()
        del config["adam_weight_decay"]
        return config


@keras.saving.register_keras_serializable(package="tfplm")
class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Scales the loss so that float16 gradients do not vanish; skips and halves the scale where they overflow.

    Keras's own cannot be applied under a tf.distribute strategy: it assigns its scale inside a branch. Here the
    gradients are summed over the replicas first, so that all of them decide alike. ``iterations`` counts the steps that
    were taken, and `gradient_norm` is that of the last of them.

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section 3.2.

    Args:
        inner_optimizer: one of this module.

    Attributes:
        gradients_are_reduced: as that of `GlobalNormClipping`, and to be set here, not on ``inner_optimizer``.
    """

    gradients_are_reduced = False

    def __init__(self, inner_optimizer: GlobalNormClipping, **kwargs):
        super().__init__(inner_optimizer, **kwargs)
        inner_optimizer.gradients_are_reduced = True

    @property
    def gradient_norm(self):
        return self.inner_optimizer.gradient_norm

    def build(self, variables):
        if not self.built:
            super().build(variables)

    def add_variable(self, *args, **kwargs):
        """Scale and counter, which every replica assigns alike."""
        return super().add_variable(*args, **kwargs | {"aggregation": "only_first_replica"})

    def apply(self, grads, trainable_variables=None):
        """Takes one step, or none; ``grads`` are those of the scaled loss."""
        if keras.backend.backend() != "tensorflow":
            super().apply(grads, trainable_variables)
            return
        if not self.built:
            with keras.name_scope(self.name):
                self.build(list(trainable_variables))
        gradients = _dense(grads) if self.gradients_are_reduced else _summed_over_replicas(_dense(grads))
        finite = self.check_finite(gradients)
        scale = ops.convert_to_tensor(self.dynamic_scale)
        gradients = [None if g is None else g / ops.cast(scale, g.dtype) for g in gradients]
        self._adjust_scale(scale, finite)
        self._apply_if(finite, gradients, trainable_variables)

    def _adjust_scale(self, scale, finite) -> None:
        steps = ops.convert_to_tensor(self.step_counter) + 1  # since the scale changed, this one included
        grows = ops.logical_and(finite, steps >= self.dynamic_growth_steps)
        lower = ops.maximum(scale / 2.0, 1.0)
        self.dynamic_scale.assign(ops.where(finite, ops.where(grows, scale * 2.0, scale), lower))
        self.step_counter.assign(ops.where(ops.logical_and(finite, ops.logical_not(grows)), steps, 0))

    def _apply_if(self, finite, gradients: list, trainable_variables) -> None:
        """Has the inner optimizer take the step where ``finite`` holds, which is equal on all replicas."""

        def apply(gradients):
            self.inner_optimizer.apply(gradients, trainable_variables)

        def apply_on_all_replicas(strategy, finite, gradients):
            # A branch within a replica may not meet the other replicas, so the branch is around them all.
            finite = strategy.experimental_local_results(finite)[0]
            replicas = strategy.extended.call_for_each_replica
            tf.cond(finite, lambda: replicas(apply, args=(gradients,)), lambda: None)

        if tf.__internal__.distribute.strategy_supports_no_merge_call():
            tf.cond(finite, lambda: apply(gradients), lambda: None)
        else:
            tf.distribute.get_replica_context().merge_call(apply_on_all_replicas, args=(finite, gradients))


_TYPES = {"adamw": AdamW, "lamb": Lamb, "lion": Lion, "adafactor": Adafactor, "muon": Muon}
_MUON_NAMES = {"beta_1": "adam_beta_1", "beta_2": "adam_beta_2"}  # of its Adam


def build_optimizer(
    config: OptimizerConfig,
    total_steps: int,
    precision: str = "float32",
    gradients_are_reduced: bool = False,
    paces: Paces | None = None,
) -> keras.optimizers.Optimizer:
    """The optimizer and schedule of a run of ``total_steps`` steps.

    Args:
        config: the optimizer's settings.
        total_steps: optimizer steps of the whole run.
        precision: the dtype policy of the model; "mixed_float16" gets loss scaling.
        gradients_are_reduced: whether `apply` will get gradients that are summed over the replicas already.
        paces: of single variables; None: all learn alike.
    """
    paces = paces or Paces()
    settings = {key: getattr(config, key) for key in ("beta_1", "beta_2", "epsilon")}
    names = _MUON_NAMES if config.type == "muon" else {}
    optimizer = _TYPES[config.type](
        learning_rate=build_schedule(config, total_steps),
        weight_decay=config.weight_decay,
        clip_to_norm=config.global_clipnorm,
        rate_factors=paces.rate_factors,
        first_steps=paces.first_steps,
        **{names.get(key, key): value for key, value in settings.items() if value is not None},
    )
    if precision == "mixed_float16":
        optimizer = LossScaling(optimizer)
    optimizer.gradients_are_reduced = gradients_are_reduced
    return optimizer
