"""The body of a checkpoint as a model of ours."""

import keras
import numpy as np

from tfplm.interop.checkpoint import Checkpoint
from tfplm.interop.registry import find_family
from tfplm.models.build import build_model


def opened_encoder(checkpoint: Checkpoint) -> keras.Model:
    """Our model with every tensor of the checkpoint's body in it."""
    family = find_family(checkpoint.config, "config.json")
    config = family.read_config(checkpoint.config, "config.json")
    encoder = build_model(config, checkpoint.config["vocab_size"], config.pad_id)
    variables = {variable.path: variable for variable in encoder.weights}
    for weight in family.body(config):
        if weight.variable in variables:
            value = weight.read(checkpoint.tensors.read)
            variables[weight.variable].assign(np.asarray(value, np.float32))
    return encoder
