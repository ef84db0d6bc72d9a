"""Small random checkpoints of encoders, made by the `transformers` package, and the way from them to tasks and back."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from keras import ops
from safetensors.numpy import save_file

from tests.parity.torch_weights import randomized
from tests.tfplm.interop.families.family_tasks import CLASS_NAMES, build_task
from tfplm.interop.families.albert import AlbertFamily
from tfplm.interop.families.bert import BertFamily
from tfplm.interop.families.distilbert import DistilBertFamily
from tfplm.interop.families.electra import ElectraFamily
from tfplm.interop.families.encoder_parts import EncoderFamily
from tfplm.interop.families.roberta import RobertaFamily, XlmRobertaFamily
from tfplm.interop.families.roberta_prelayernorm import RobertaPreLayerNormFamily
from tfplm.interop.loading import load_weights
from tfplm.interop.safetensors_files import open_safetensors
from tfplm.interop.tensors import Tensors
from tfplm.interop.weight_table import Weight
from tfplm.tasks.task import Task

LENGTH = 16
LENGTHS = np.array([LENGTH, 9, 1])

SIZES = {
    "vocab_size": 70,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": LENGTH,
    "layer_norm_eps": 0.02,  # so much that a wrong one is seen
}
DISTILBERT_SIZES = {
    "vocab_size": 70,
    "n_layers": 3,
    "n_heads": 4,
    "dim": 32,
    "hidden_dim": 48,
    "max_position_embeddings": LENGTH,
}
ROBERTA_SIZES = {**SIZES, "max_position_embeddings": LENGTH + 2}

# By a name of our own, the family of a model and what its config.json says.
MODELS: dict[str, tuple[EncoderFamily, dict]] = {
    "bert": (BertFamily(), SIZES),
    "bert-relu": (BertFamily(), {**SIZES, "hidden_act": "relu", "type_vocab_size": 3, "pad_token_id": 5}),
    "roberta": (RobertaFamily(), {**ROBERTA_SIZES, "type_vocab_size": 1}),
    "xlm-roberta": (
        XlmRobertaFamily(),
        {**ROBERTA_SIZES, "pad_token_id": 4, "max_position_embeddings": LENGTH + 5},
    ),
    "roberta-prelayernorm": (RobertaPreLayerNormFamily(), ROBERTA_SIZES),
    "distilbert": (DistilBertFamily(), DISTILBERT_SIZES),
    "distilbert-sinusoidal": (
        DistilBertFamily(),
        {**DISTILBERT_SIZES, "sinusoidal_pos_embds": True, "activation": "gelu_new"},
    ),
    "albert": (AlbertFamily(), {**SIZES, "embedding_size": 12}),
    "electra": (ElectraFamily(), {**SIZES, "embedding_size": 32}),
    "electra-narrow": (ElectraFamily(), {**SIZES, "embedding_size": 12}),
}


@dataclass
class Checkpoint:
    """A folder, the model that was saved in it and how it is to be read.

    Args:
        folder: with config.json and model.safetensors.
        model: of `transformers`, with the same weights.
        family: that reads it.
        task_type: of its head.
        with_next_sentence: whether the head tells next sentences too.
    """

    folder: Path
    model: torch.nn.Module
    family: EncoderFamily
    task_type: str
    with_next_sentence: bool

    @property
    def config(self):
        values = json.loads((self.folder / "config.json").read_text())
        return self.family.read_config(values, str(self.folder / "config.json"))

    @property
    def table(self) -> list[Weight]:
        config = self.config
        return self.family.body(config) + self.family.head(config, self.task_type, self.with_next_sentence)

    def tensors(self) -> Tensors:
        return open_safetensors(self.folder)


def make_checkpoint(
    name: str, architecture: str, folder: Path, dtype: torch.dtype = torch.float32, tie_word_embeddings: bool = True
) -> Checkpoint:
    """Saves a random model with weights of a dtype."""
    family, values = MODELS[name]
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        family.model_types[0],
        **values,
        tie_word_embeddings=tie_word_embeddings,
        attn_implementation="eager",
        id2label=dict(enumerate(CLASS_NAMES[:2] if "Question" in architecture else CLASS_NAMES)),
    )
    model = randomized(getattr(transformers, architecture)(config)).to(dtype)
    model.save_pretrained(folder)
    is_pair = architecture == family.next_sentence_architecture
    return Checkpoint(folder, model.float(), family, family.architectures[architecture], is_pair)


def load(checkpoint: Checkpoint) -> tuple[Task, tuple[str, ...]]:
    """A task of its weights, and the paths of the variables that kept their initial values."""
    task = build_task(checkpoint.config, checkpoint.task_type, checkpoint.with_next_sentence)
    return task, load_weights(task, checkpoint.tensors(), checkpoint.family, checkpoint.table).new


def write(task: Task, checkpoint: Checkpoint, folder: Path) -> None:
    """Writes a task as `transformers` reads it."""
    family = checkpoint.family
    values = {variable.path: ops.convert_to_numpy(variable) for variable in task.weights}
    values |= family.computed(task.encoder.config)
    tensors = {}
    for weight in checkpoint.table:
        tensors |= weight.write(values[weight.variable])
    folder.mkdir()
    architecture = type(checkpoint.model).__name__
    labels = {str(index): label for index, label in checkpoint.model.config.id2label.items()}
    config = family.write_config(task.encoder.config) | {"architectures": [architecture], "id2label": labels}
    (folder / "config.json").write_text(json.dumps(config))
    if architecture.endswith("Model"):
        tensors = {name.removeprefix(family.prefix): tensor for name, tensor in tensors.items()}
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(contiguous, folder / "model.safetensors", {"format": "pt"})


def example_inputs(config) -> dict[str, np.ndarray]:
    """Rows of different lengths, padded on the right, with segments where the model has several."""
    random = np.random.default_rng(0)
    ids = random.integers(0, config.vocabulary_size - 1, (len(LENGTHS), LENGTH))
    ids += ids >= max(config.pad_id, 0)  # never the padding's
    real = np.arange(LENGTH) < LENGTHS[:, None]
    inputs = {"token_ids": np.where(real, ids, max(config.pad_id, 0)).astype("int32")}
    if config.num_segments > 1:
        segments = (np.arange(LENGTH) >= 6) * real * (config.num_segments - 1)
        inputs["segment_ids"] = segments.astype("int32")
    return inputs


def their_outputs(model: torch.nn.Module, inputs: dict, pad_id: int):
    """What `transformers` gives."""
    ids = torch.tensor(inputs["token_ids"].astype("int64"))
    segments = inputs.get("segment_ids")
    options = {} if segments is None else {"token_type_ids": torch.tensor(segments.astype("int64"))}
    with torch.no_grad():
        return model(ids, attention_mask=(ids != pad_id).long(), output_hidden_states=True, **options)


def our_logits(task: Task, inputs: dict) -> dict[str, np.ndarray]:
    """What a task gives, by the names that `transformers` has for it."""
    if task.task_type == "masked_lm":
        positions = np.tile(np.arange(LENGTH, dtype="int32"), (len(LENGTHS), 1))
        outputs = task(inputs | {"mask_positions": positions})
        if "next_sentence" in outputs:
            is_next_last = ops.convert_to_numpy(outputs["next_sentence"])
            words = ops.convert_to_numpy(outputs["masked_lm"])
            return {"prediction_logits": words, "seq_relationship_logits": is_next_last[:, ::-1]}
        return {"logits": ops.convert_to_numpy(outputs["masked_lm"])}
    outputs = task(inputs)
    if task.task_type == "question_answering":
        return {name: ops.convert_to_numpy(outputs[name]) for name in ("start_logits", "end_logits")}
    return {"logits": ops.convert_to_numpy(outputs)}
