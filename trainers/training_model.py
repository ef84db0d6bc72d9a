"""The compiled, distributed training step behind `model.fit`."""

import functools
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfplm.layers.kernels import compiled_kernels
from tfplm.tasks.task import Scores, Task

_REPLICA_SUM = tf.distribute.ReduceOp.SUM


class TrainingModel(keras.Model):
    """A task under training: what Keras 3 cannot yet do under tf.distribute, with `fit` as the loop.

    Forward and backward pass of each replica are one function, which XLA compiles if wanted; the sum of the gradients
    over the replicas, the optimizer and the metrics stay outside of it. Losses are divided by what their sums over the
    whole batch have to be divided by (`Task.normalizers`), so that the loss and the gradients are the same however the
    batch is spread over replicas and micro-batches.

    Create it, its task and its optimizer under the strategy's scope. The batches come from `BatchSource.distributed`,
    or are any `tf.data.Dataset` of (features, targets, weights).

    Args:
        task: what is trained.
        accumulation_steps: micro-batches that a replica's part of the batch is divided into.
        rematerialize: whether each block of the encoder is computed again for its gradient.

    Attributes:
        step: steps done; those that loss scaling leaves out count too, and so it is the position in the data.
        seconds_waiting: time that `fit` has waited for data.

    Example:
        >>> with strategy.scope():
        ...     model = TrainingModel(task)
        ...     model.compile(optimizer, jit_compile=True)
        >>> model.fit(batches.dataset(0, 100), shuffle=False)
    """

    def __init__(self, task: Task, accumulation_steps: int = 1, rematerialize: bool = False, **kwargs):
        kwargs.setdefault("name", "training_model")
        super().__init__(**kwargs)
        self.task = task
        self.accumulation_steps = accumulation_steps
        task.encoder.rematerialize = rematerialize
        self.step = 0
        self.seconds_waiting = 0.0
        self._loss_metric = keras.metrics.Mean(name="loss")
        self._score_metrics = task.build_score_metrics()
        self.built = True

    def compile(self, optimizer: keras.optimizers.Optimizer, jit_compile: bool = False) -> None:
        """Takes the optimizer; the losses and metrics are the task's.

        Args:
            optimizer: of `build_optimizer`, or under a strategy of one replica any of Keras.
            jit_compile: whether XLA compiles forward and backward pass.
        """
        if hasattr(optimizer, "gradients_are_reduced"):
            optimizer.gradients_are_reduced = True  # by train_step
        elif self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(f"got {type(optimizer).__name__}, which sums gradients itself; expected a tfplm optimizer")
        optimizer.build(self.task.trainable_variables)
        super().compile(optimizer=optimizer, jit_compile=False)  # what XLA compiles are the two functions below
        compile_kernel = functools.partial(tf.function, jit_compile=True)
        self._kernel_compiler = None if jit_compile else functools.cache(compile_kernel)
        self._compiled_gradients = tf.function(self._gradients, jit_compile=jit_compile)
        self._compiled_scores = tf.function(self._scores, jit_compile=jit_compile)
        self._plain_scores = tf.function(self._scores)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss_metric, *self._score_metrics]

    def call(self, inputs, training=None):
        """What the task gives."""
        return self.task(inputs, training=training)

    def train_step(self, data) -> None:
        """One optimizer step of one replica, on its part of the batch."""
        features, targets, weights = data
        replicas = tf.distribute.get_replica_context()
        normalizers = replicas.all_reduce(_REPLICA_SUM, self.task.normalizers(weights))
        loss_scale = self._loss_scale()
        gradients, scores = self._compiled_gradients(features, targets, weights, normalizers, loss_scale)
        gradients = replicas.all_reduce(_REPLICA_SUM, gradients)
        self.optimizer.apply(gradients, self.task.trainable_variables)
        self._update_metrics(scores, normalizers)

    def test_step(self, data) -> None:
        """Losses and metrics of one replica, on its part of the batch."""
        features, targets, weights = data
        replicas = tf.distribute.get_replica_context()
        normalizers = replicas.all_reduce(_REPLICA_SUM, self.task.normalizers(weights))
        self._update_metrics(self._compiled_scores(features, targets, weights), normalizers)

    def loss_of_batch(self, batch: tuple) -> tf.Tensor:
        """The loss of a whole batch with the present weights, without dropout: a float32 scalar."""
        features, targets, weights = tf.nest.map_structure(tf.convert_to_tensor, batch)
        return _total_loss(self._plain_scores(features, targets, weights), self.task.normalizers(weights))

    def make_train_function(self, force: bool = False) -> Callable:
        """The function that `fit` calls for every step; the figures are read once an epoch."""
        if self.train_function is None or force:
            take_and_run = self._make_function(self.train_step)

            def train(iterator) -> dict:
                take_and_run(iterator)
                self.step += 1
                return {}

            self.train_function = train
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable:
        """The function that `evaluate` calls for every batch."""
        if self.test_function is None or force:
            take_and_run = self._make_function(self.test_step)
            self.test_function = lambda iterator: take_and_run(iterator) or {}
        return self.test_function

    def _make_function(self, step: Callable[[Any], None]) -> Callable:
        @tf.function
        def run(data):
            self.distribute_strategy.run(step, args=(data,))

        def take_and_run(iterator):
            began = time.perf_counter()
            data = next(iterator)
            self.seconds_waiting += time.perf_counter() - began
            run(data)

        return take_and_run

    def _get_metrics_result_or_logs(self, logs: dict) -> dict:
        # Steps return nothing: reading a metric under a strategy is a reduction over all replicas and workers.
        return self.get_metrics_result()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        # Everything is built. Keras would take a batch from the iterator for it, and fail under several workers.
        pass

    def _loss_scale(self) -> tf.Tensor:
        """What the loss is multiplied by so that float16 gradients do not vanish; 1 without loss scaling."""
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            return self.optimizer.scale_loss(tf.ones(()))
        return tf.ones(())

    def _gradients(
        self, features: dict, targets: Any, weights: Any, normalizers: dict, loss_scale: tf.Tensor
    ) -> tuple[list[tf.Tensor], Scores]:
        """Gradients of the loss of a replica's rows, and their scores. XLA compiles this."""
        if self.accumulation_steps == 1:
            return self._micro_gradients((features, targets, weights), normalizers, loss_scale)
        micro_batches = tf.nest.map_structure(self._in_micro_batches, (features, targets, weights))
        sums = [tf.zeros(v.shape, v.dtype) for v in self.task.trainable_variables]

        def accumulate(index, sums, collected):
            data = tf.nest.map_structure(lambda part: part[index], micro_batches)
            gradients, scores = self._micro_gradients(data, normalizers, loss_scale)
            sums = [total + gradient for total, gradient in zip(sums, gradients, strict=True)]
            written = [array.write(index, part) for array, part in zip(collected, tf.nest.flatten(scores), strict=True)]
            return index + 1, sums, written

        spec = self._score_spec(micro_batches)
        collected = [
            tf.TensorArray(part.dtype, size=self.accumulation_steps, element_shape=part.shape)
            for part in tf.nest.flatten(spec)
        ]
        _, sums, collected = tf.while_loop(
            lambda index, *_: index < self.accumulation_steps,
            accumulate,
            (tf.constant(0), sums, collected),
            maximum_iterations=self.accumulation_steps,
            parallel_iterations=1,
        )
        # (micro-batches, rows, …) → (rows, …)
        scores = [tf.concat(tf.unstack(array.stack()), axis=0) for array in collected]
        return sums, tf.nest.pack_sequence_as(spec, scores)

    def _micro_gradients(self, data: tuple, normalizers: dict, loss_scale: tf.Tensor) -> tuple[list[tf.Tensor], Scores]:
        weights = [v.value for v in self.task.trainable_variables]
        with compiled_kernels(self._kernel_compiler):
            # Watched alone, so that nothing is kept or computed for the gradient of what is frozen.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                scores = self.task.score(*data, training=True)
                loss = loss_scale * _total_loss(scores, normalizers)
            gradients = tape.gradient(loss, weights)
        return [tf.convert_to_tensor(gradient) for gradient in gradients], scores

    def _in_micro_batches(self, part: tf.Tensor) -> tf.Tensor:
        rows, *shape = part.shape
        return tf.reshape(part, (self.accumulation_steps, rows // self.accumulation_steps, *shape))

    def _score_spec(self, micro_batches: Any) -> Scores:
        """The shapes and dtypes of a micro-batch's scores."""
        specs = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), micro_batches)
        return self._plain_scores.get_concrete_function(*specs).structured_outputs

    def _scores(self, features: dict, targets: Any, weights: Any) -> Scores:
        return self.task.score(features, targets, weights, training=False)

    def _update_metrics(self, scores: Scores, normalizers: dict) -> None:
        # The loss of the batch is the sum over the replicas: each adds its own part, and its part of the count.
        share = 1.0 / self.distribute_strategy.num_replicas_in_sync
        self._loss_metric.update_state(_total_loss(scores, normalizers) / share, sample_weight=share)
        for metric in self._score_metrics:
            metric.update_state(*scores.metrics[metric.name])


def _total_loss(scores: Scores, normalizers: dict) -> tf.Tensor:
    """The part of these rows in the loss of the whole batch: a float32 scalar."""
    parts = [tf.math.divide_no_nan(tf.reduce_sum(losses), normalizers[name]) for name, losses in scores.losses.items()]
    return tf.add_n(parts)
