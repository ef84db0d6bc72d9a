"""What the tasks share that read an encoder's outputs through a small head, or none."""

import keras
from keras import KerasTensor

from tfplm import feature_names as names
from tfplm.config import Config
from tfplm.layers.masks import example_mask
from tfplm.layers.pooling import pool_first, pool_mean
from tfplm.models.bert import Bert
from tfplm.models.build import Encoder
from tfplm.tasks.task import Task


class EncoderTask(Task):
    """An encoder and what a subclass puts on it. Subclasses set ``config_type`` and call `build` when all is there.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.
        trains_pooler: whether the task uses a BERT's pooler; one that nothing uses is not trained.
    """

    config_type: type[Config]

    def __init__(self, encoder: Encoder, config: Config, trains_pooler: bool, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.config = config
        if isinstance(encoder, Bert):
            encoder.pooler.trainable = trains_pooler

    def _dense(self, units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
        """A layer on the encoder's outputs, with fresh weights as small as the encoder's."""
        initializer = keras.initializers.TruncatedNormal(stddev=self.encoder.config.initializer_range)
        return keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=initializer, name=name)

    def _pooled(self, inputs: dict, training: bool | None) -> KerasTensor:
        """The vector of every text by ``config.pooling``: (batch, dim), with EXAMPLE_STARTS (batch, examples, dim)."""
        encoded = self.encoder(inputs, training=training)
        if self.config.pooling == "encoder":
            return encoded[names.POOLED_OUTPUT]
        hidden = encoded[names.SEQUENCE_OUTPUT]
        if self.config.pooling == "first":
            return pool_first(hidden, inputs.get(names.EXAMPLE_STARTS))
        return pool_mean(hidden, example_mask(inputs, self.encoder.config.pad_id))

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {"encoder": encoder, "config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        others = {key: value for key, value in config.items() if key not in ("encoder", "config")}
        return cls(encoder, cls.config_type.model_validate(config["config"]), **others)


def distinct_names(class_names: list[str], least: int) -> list[str]:
    """The names of the classes. Raises ValueError where they are fewer than ``least`` or one stands twice."""
    if len(class_names) < least or len(set(class_names)) != len(class_names):
        raise ValueError(f"got class_names={class_names!r}, expected {least} or more different names")
    return list(class_names)
