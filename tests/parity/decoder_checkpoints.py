"""Small random checkpoints of decoders and encoder-decoders, made by the `transformers` package, and the way back."""

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
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.plan import Vocabulary
from tfplm.interop.families.gpt2 import Gpt2Family
from tfplm.interop.families.llama import LlamaFamily, MistralFamily, Qwen2Family
from tfplm.interop.families.t5 import T5Family
from tfplm.interop.family import Family
from tfplm.interop.loading import load_weights
from tfplm.interop.safetensors_files import open_safetensors
from tfplm.interop.weight_table import Weight
from tfplm.tasks.task import Task

LENGTH = 16
LENGTHS = np.array([LENGTH, 9, 1])
REAL = np.arange(LENGTH) < LENGTHS[:, None]
VOCABULARY_SIZE, PAD, START, END = 70, 0, 1, 2
NEW_TOKENS = 12

_GPT2 = {
    "vocab_size": VOCABULARY_SIZE,
    "n_layer": 3,
    "n_head": 4,
    "n_embd": 32,
    "n_inner": 48,
    "n_positions": 40,
    "pad_token_id": PAD,
    "bos_token_id": START,
    "eos_token_id": END,
}
_LLAMA = {
    "vocab_size": VOCABULARY_SIZE,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "rope_theta": 500.0,
    "pad_token_id": PAD,
    "bos_token_id": START,
    "eos_token_id": END,
}
_LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
_T5 = {
    "vocab_size": VOCABULARY_SIZE,
    "num_layers": 2,
    "num_heads": 4,
    "d_kv": 6,
    "d_model": 32,
    "d_ff": 48,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "decoder_start_token_id": PAD,
    "eos_token_id": END,
}
_VERSION_1_1 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 3}

# What `transformers` is told of a model, by a name: the family, the type of the model and what its config.json says.
MODELS: dict[str, tuple[Family, str, dict]] = {
    "gpt2": (Gpt2Family(), "gpt2", _GPT2),
    "gpt2-untied": (Gpt2Family(), "gpt2", {**_GPT2, "activation_function": "gelu", "tie_word_embeddings": False}),
    "llama": (LlamaFamily(), "llama", _LLAMA),
    "llama-tied": (LlamaFamily(), "llama", {**_LLAMA, "tie_word_embeddings": True, "rope_scaling": _LLAMA3}),
    "llama-linear": (
        LlamaFamily(),
        "llama",
        {**_LLAMA, "head_dim": 6, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    ),
    "llama-biases": (LlamaFamily(), "llama", {**_LLAMA, "attention_bias": True, "mlp_bias": True}),
    "mistral": (MistralFamily(), "mistral", {**_LLAMA, "sliding_window": 5}),
    "mistral-whole": (MistralFamily(), "mistral", {**_LLAMA, "sliding_window": None, "head_dim": 10}),
    "qwen2": (Qwen2Family(), "qwen2", {**_LLAMA, "tie_word_embeddings": True}),
    "qwen2-window": (
        Qwen2Family(),
        "qwen2",
        {**_LLAMA, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0},
    ),
    "t5": (T5Family(), "t5", _T5),
    "t5-1.1": (T5Family(), "t5", {**_T5, **_VERSION_1_1}),
    "t5-silu": (T5Family(), "t5", {**_T5, **_VERSION_1_1, "feed_forward_proj": "gated-silu"}),
    "mt5": (T5Family(), "mt5", {**_T5, "num_decoder_layers": 1}),
}
UNTIED = ("t5-1.1", "mt5")  # `transformers` 5 begins with tied weights of these; published ones are not tied


@dataclass
class Checkpoint:
    """A folder, the model that was saved in it and how it is to be read.

    Args:
        folder: with config.json and model.safetensors.
        model: of `transformers`, with the same weights.
        family: that reads it.
        task_type: of its head.
    """

    folder: Path
    model: torch.nn.Module
    family: Family
    task_type: str

    @property
    def config(self):
        path = self.folder / "config.json"
        return self.family.read_config(json.loads(path.read_text()), str(path))

    def load(self) -> Task:
        """The task with the weights of the folder, all of which it has."""
        config, task = self.config, build_task(self.config, self.task_type)
        loaded = load_weights(task, open_safetensors(self.folder), self.family, table(self.family, config, task))
        assert not loaded.new
        assert not loaded.left_out
        return task


def table(family: Family, config, task: Task) -> list[Weight]:
    return family.body(config) + family.head(config, task.task_type)


def make_checkpoint(name: str, architecture: str, folder: Path, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """Saves a random model with weights of a dtype."""
    family, model_type, values = MODELS[name]
    torch.manual_seed(0)
    labels = CLASS_NAMES[:2] if "Question" in architecture else CLASS_NAMES
    options = {"attn_implementation": "eager", "id2label": dict(enumerate(labels))}
    config = transformers.AutoConfig.for_model(model_type, **values, **options)
    model = getattr(transformers, architecture)(config)
    if name in UNTIED and hasattr(model, "lm_head"):
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    model = randomized(model).to(dtype)
    model.save_pretrained(folder)
    if dtype != torch.float32:  # read again: the frequencies of rotary positions were rounded too
        model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return Checkpoint(folder, model, family, family.architectures[architecture])


def architectures(name: str) -> list[str]:
    """The classes of `transformers` that a model is made with."""
    family, model_type, _ = MODELS[name]
    start = {"t5": "T5", "mt5": "MT5"}.get(model_type, "")
    return [architecture for architecture in family.architectures if architecture.startswith(start)]


def write(task: Task, family: Family, architecture: str, folder: Path) -> None:
    """Writes a task as the family has it."""
    folder.mkdir()
    values = family.write_config(task.encoder.config) | {"architectures": [architecture]}
    values |= {"bos_token_id": START, "eos_token_id": END}
    if hasattr(task, "class_names"):
        values |= {"id2label": dict(enumerate(task.class_names))}
    (folder / "config.json").write_text(json.dumps(values))
    variables = {variable.path: ops.convert_to_numpy(variable) for variable in task.weights}
    tensors = {}
    for weight in table(family, task.encoder.config, task):
        tensors |= weight.write(variables[weight.variable])
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(arrays, folder / "model.safetensors", {"format": "pt"})


def example_inputs(is_encoder_decoder: bool) -> dict[str, np.ndarray]:
    """Rows of different lengths, padded on the right."""
    random = np.random.default_rng(0)
    ids = random.integers(3, VOCABULARY_SIZE, REAL.shape)
    inputs = {"token_ids": np.where(REAL, ids, PAD).astype("int32")}
    if is_encoder_decoder:
        targets = random.integers(3, VOCABULARY_SIZE, (len(LENGTHS), 10))
        inputs["decoder_token_ids"] = np.pad(targets, ((0, 0), (1, 0)), constant_values=PAD).astype("int32")
    return inputs


def their_outputs(model: torch.nn.Module, inputs: dict):
    """What `transformers` gives."""
    ids = {name: torch.tensor(values.astype("int64")) for name, values in inputs.items()}
    options = {"decoder_input_ids": ids["decoder_token_ids"]} if "decoder_token_ids" in ids else {}
    mask = (ids["token_ids"] != PAD).long()
    with torch.no_grad():
        return model(ids["token_ids"], attention_mask=mask, output_hidden_states=True, **options)


def our_logits(task: Task, inputs: dict) -> dict[str, np.ndarray]:
    """What a task gives, by the names that `transformers` has for it."""
    outputs = task(inputs)
    if task.task_type == "question_answering":
        return {name: ops.convert_to_numpy(outputs[name]) for name in ("start_logits", "end_logits")}
    return {"logits": ops.convert_to_numpy(outputs["next_token"] if isinstance(outputs, dict) else outputs)}


def their_texts(model: torch.nn.Module, prompts: list[list[int]], is_encoder_decoder: bool) -> list[list[int]]:
    """What `transformers` writes, behind decoders' prompts that are padded on the left."""
    most = max(map(len, prompts))
    rows = [
        prompt + [PAD] * (most - len(prompt)) if is_encoder_decoder else [PAD] * (most - len(prompt)) + prompt
        for prompt in prompts
    ]
    ids = torch.tensor(rows)
    settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "suppress_tokens": [PAD], "pad_token_id": PAD}
    # Without its cache, which has no room for a decoder deeper than the encoder.
    written = model.generate(ids, attention_mask=(ids != PAD).long(), eos_token_id=END, use_cache=False, **settings)
    new = written[:, 1 if is_encoder_decoder else most :].tolist()
    return [row[: row.index(END) + 1] if END in row else row for row in new]


def our_texts(task: Task, prompts: list[list[int]]) -> list[list[int]]:
    """What a task writes."""
    vocabulary = Vocabulary(VOCABULARY_SIZE, END, never=(PAD,), pad_id=task.encoder.config.pad_id)
    written = task.generate(prompts, vocabulary, GenerationConfig(max_new_tokens=NEW_TOKENS))
    return [samples[0].token_ids.tolist() for samples in written]
