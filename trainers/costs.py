"""What training costs, by arithmetic on the configuration: parameters, floating-point operations and memory.

Nothing is built and no Keras is imported. The tests compare all of it with the models and steps themselves.
"""

import math
from dataclasses import dataclass

from tfplm.experiment import FinetuneConfig, PretrainConfig
from tfplm.models.configuration import BertConfig, LstmConfig, ModelConfig

Precision = str  # as in RuntimeConfig.precision

FLOAT32_BYTES = 4
_LOGITS_AT_ONCE = 2**28  # bytes; as tfplm.tasks.vocabulary_scores divides the vocabulary loss
_RELATIVE_BUCKETS = 32  # of tfplm.layers.relative_position_bias
_LSTM_GATES = 4


@dataclass(frozen=True)
class Variable:
    """A weight of a task.

    Args:
        name: the part of the model that it belongs to.
        shape: its dimensions.
        is_trained: whether it has a gradient and optimizer state.
    """

    name: str
    shape: tuple[int, ...]
    is_trained: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class MatrixProduct:
    """(rows, inner) · (inner, columns), ``count`` times in the forward pass of one step."""

    name: str
    rows: int
    inner: int
    columns: int
    count: int = 1

    @property
    def flops(self) -> float:
        """Floating-point operations of all of them: a multiplication and an addition for every inner element."""
        return 2.0 * self.rows * self.inner * self.columns * self.count


@dataclass(frozen=True)
class Workload:
    """One training step: a model, its head and its batch.

    Args:
        model: with its vocabulary_size.
        sequence_length: tokens of a row, padding included.
        batch_size: rows of a step, over all replicas and micro-batches.
        accumulation_steps: micro-batches of a replica.
        rematerialize: whether blocks are computed again for their gradients.
        optimizer: its type.
        predictions: positions of a row that are compared with the whole vocabulary; 0 for a classifier.
        positions_per_chunk: of the vocabulary loss.
        next_sentence: whether there is a next-sentence head.
        num_classes: of a classifier; 0 for a language model.
        is_pooled: whether the encoder's pooled output is trained.
    """

    model: ModelConfig
    sequence_length: int
    batch_size: int
    accumulation_steps: int
    rematerialize: bool
    optimizer: str
    predictions: int = 0
    positions_per_chunk: int | None = None
    next_sentence: bool = False
    num_classes: int = 0
    is_pooled: bool = False

    @classmethod
    def of_pretraining(cls, config: PretrainConfig, vocabulary_size: int) -> "Workload":
        """What a step of pretraining computes; ``vocabulary_size`` is used where the model leaves its own open."""
        masked = config.objective.type == "masked_lm"
        next_sentence = masked and config.objective.next_sentence
        return cls(
            model=_with_vocabulary(config.model, vocabulary_size),
            sequence_length=config.sequence_length,
            batch_size=config.batch_size,
            accumulation_steps=config.accumulation_steps,
            rematerialize=config.rematerialize,
            optimizer=config.optimizer.type,
            predictions=max(1, round(config.objective.mask_rate * config.sequence_length))
            if masked
            else config.sequence_length,
            positions_per_chunk=config.objective.positions_per_chunk,
            next_sentence=next_sentence,
            is_pooled=next_sentence,
        )

    @classmethod
    def of_finetuning(
        cls,
        config: FinetuneConfig,
        model: ModelConfig,
        vocabulary_size: int,
        optimizer: str = "adamw",
        num_classes: int = 2,
    ) -> "Workload":
        """What a step of fine-tuning ``model`` computes."""
        return cls(
            model=_with_vocabulary(model, vocabulary_size),
            sequence_length=config.sequence_length,
            batch_size=config.batch_size,
            accumulation_steps=config.accumulation_steps,
            rematerialize=config.rematerialize,
            optimizer=optimizer,
            num_classes=num_classes,
            is_pooled=config.task.pooling == "encoder",
        )

    @property
    def tokens(self) -> int:
        """Of a step, padding included: what is computed."""
        return self.batch_size * self.sequence_length


def _with_vocabulary(model: ModelConfig, vocabulary_size: int) -> ModelConfig:
    return model.model_copy(update={"vocabulary_size": model.vocabulary_size or vocabulary_size})


# Parameters.


def variables(workload: Workload) -> list[Variable]:
    """Every weight of the task, in no particular order."""
    of_family = _bert_variables if isinstance(workload.model, BertConfig) else _lstm_variables
    found = of_family(workload)
    width = _output_dim(workload.model)
    if workload.num_classes:
        return [*found, *_dense("head/classifier", width, workload.num_classes)]
    found.append(Variable("head/output_bias", (workload.model.vocabulary_size,)))
    if isinstance(workload.model, BertConfig):
        found += [*_dense("head/transform", width, width), *_norm("head/transform_norm", width)]
    elif width != workload.model.embedding_dim:
        found += _dense("head/projection", width, workload.model.embedding_dim)
    if workload.next_sentence:
        found += _dense("head/next_sentence", width, 2)
    return found


def parameters(workload: Workload) -> int:
    """Numbers that the task's weights hold."""
    return sum(variable.size for variable in variables(workload))


def embedding_parameters(workload: Workload) -> int:
    """Those of the parameters that are looked up by token, position or segment."""
    return sum(variable.size for variable in variables(workload) if variable.name.startswith("embedding/"))


def trained_parameters(workload: Workload) -> int:
    """Those of the parameters that have a gradient."""
    return sum(variable.size for variable in variables(workload) if variable.is_trained)


def _bert_variables(workload: Workload) -> list[Variable]:
    model = workload.model
    width, inner = model.hidden_dim, model.intermediate_dim
    found = [
        Variable("embedding/token", (model.vocabulary_size, width)),
        Variable("embedding/segment", (model.num_segments, width)),
        *_norm("norm", width),
        *_dense("pooler", width, width, is_trained=workload.is_pooled),
    ]
    if model.position_embedding == "learned":
        found.append(Variable("embedding/position", (model.max_sequence_length, width)))
    elif model.position_embedding == "relative":
        found.append(Variable("embedding/position", (_RELATIVE_BUCKETS, model.num_heads)))
    if model.norm_first:
        found += _norm("norm", width)
    block = [
        *_dense("block/qkv", width, 3 * width),
        *_dense("block/attention_output", width, width),
        *_dense("block/intermediate", width, inner),
        *_dense("block/output", inner, width),
        *_norm("block/norm", width),
        *_norm("block/norm", width),
    ]
    return found + block * model.num_layers


def _lstm_variables(workload: Workload) -> list[Variable]:
    model = workload.model
    found = [Variable("embedding/token", (model.vocabulary_size, model.embedding_dim))]
    for width in _lstm_input_widths(model):
        direction = [
            Variable("lstm/kernel", (width, _LSTM_GATES * model.hidden_dim)),
            Variable("lstm/recurrent_kernel", (model.hidden_dim, _LSTM_GATES * model.hidden_dim)),
            Variable("lstm/bias", (_LSTM_GATES * model.hidden_dim,)),
        ]
        found += direction * _num_directions(model)
    return found


def _dense(name: str, inputs: int, outputs: int, is_trained: bool = True) -> list[Variable]:
    return [Variable(name, (inputs, outputs), is_trained), Variable(name, (outputs,), is_trained)]


def _norm(name: str, width: int) -> list[Variable]:
    return [Variable(name, (width,)), Variable(name, (width,))]


def _num_directions(model: LstmConfig) -> int:
    return 2 if model.bidirectional else 1


def _output_dim(model: ModelConfig) -> int:
    return model.hidden_dim * (_num_directions(model) if isinstance(model, LstmConfig) else 1)


def _lstm_input_widths(model: LstmConfig) -> list[int]:
    return [model.embedding_dim, *[_output_dim(model)] * (model.num_layers - 1)]


# Floating-point operations.


def forward_products(workload: Workload) -> list[MatrixProduct]:
    """The matrix products of one forward pass over the whole batch; nothing else costs operations worth counting."""
    of_family = _bert_products if isinstance(workload.model, BertConfig) else _lstm_products
    return [*of_family(workload), *_head_products(workload)]


def forward_flops_per_step(workload: Workload) -> float:
    """Floating-point operations of one forward pass."""
    return sum(product.flops for product in forward_products(workload))


def step_flops(workload: Workload) -> float:
    """Floating-point operations of one training step: forward, twice that for the gradients, and what is recomputed."""
    return 3 * forward_flops_per_step(workload) + sum(product.flops for product in recomputed_products(workload))


def recomputed_products(workload: Workload) -> list[MatrixProduct]:
    """The products of the forward pass that a training step computes a second time."""
    blocks = workload.rematerialize and isinstance(workload.model, BertConfig)
    in_chunks = has_chunks(workload)
    return [
        product
        for product in forward_products(workload)
        if (blocks and product.name.startswith("block/")) or (in_chunks and product.name == "head/vocabulary")
    ]


def training_flops_per_step(config: PretrainConfig | FinetuneConfig, model: ModelConfig, vocabulary_size: int) -> float:
    """Floating-point operations of one training step over the whole batch, all replicas together.

    Args:
        config: of the stage.
        model: what is trained: ``config.model`` in pretraining, the candidate's in fine-tuning.
        vocabulary_size: the tokenizer's, used where the model leaves its own open.
    """
    if isinstance(config, PretrainConfig):
        return step_flops(Workload.of_pretraining(config.model_copy(update={"model": model}), vocabulary_size))
    return step_flops(Workload.of_finetuning(config, model, vocabulary_size))


def _bert_products(workload: Workload) -> list[MatrixProduct]:
    model, tokens, length = workload.model, workload.tokens, workload.sequence_length
    width, head_dim = model.hidden_dim, model.hidden_dim // model.num_heads
    num_attentions = workload.batch_size * model.num_heads * model.num_layers
    found = [
        MatrixProduct("block/qkv", tokens, width, 3 * width, model.num_layers),
        MatrixProduct("block/scores", length, head_dim, length, num_attentions),
        MatrixProduct("block/context", length, length, head_dim, num_attentions),
        MatrixProduct("block/attention_output", tokens, width, width, model.num_layers),
        MatrixProduct("block/intermediate", tokens, width, model.intermediate_dim, model.num_layers),
        MatrixProduct("block/output", tokens, model.intermediate_dim, width, model.num_layers),
    ]
    if workload.is_pooled:
        found.append(MatrixProduct("pooler", workload.batch_size, width, width))
    return found


def _lstm_products(workload: Workload) -> list[MatrixProduct]:
    """Step by step over the sequence, as Keras computes it."""
    model, rows = workload.model, workload.batch_size
    gates, steps = _LSTM_GATES * model.hidden_dim, workload.sequence_length * _num_directions(model)
    inputs = [MatrixProduct("lstm/inputs", rows, width, gates, steps) for width in _lstm_input_widths(model)]
    return [*inputs, MatrixProduct("lstm/recurrent", rows, model.hidden_dim, gates, steps * model.num_layers)]


def _head_products(workload: Workload) -> list[MatrixProduct]:
    model, width = workload.model, _output_dim(workload.model)
    if workload.num_classes:
        return [MatrixProduct("head/classifier", workload.batch_size, width, workload.num_classes)]
    positions = workload.batch_size * workload.predictions
    embedding_dim = width if isinstance(model, BertConfig) else model.embedding_dim
    found = [MatrixProduct("head/vocabulary", positions, embedding_dim, model.vocabulary_size)]
    if isinstance(model, BertConfig) or width != embedding_dim:
        found.append(MatrixProduct("head/transform", positions, width, embedding_dim))
    if workload.next_sentence:
        found.append(MatrixProduct("head/next_sentence", workload.batch_size, width, 2))
    return found


# Memory.


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the moment of a step that needs most."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class _Kept:
    """Bytes that forward keeps for backward, a token and layer.

    Args:
        item: of a number in the compute dtype: what rematerialization keeps of every element of the width.
        hidden: for every element of the width: inputs of the products, of the norms and of the residual sums.
        intermediate: for every element of the feed-forward's inner width: the activation's value, and for
            ``slope`` bytes of it, unless it is ReLU, what its gradient needs.
        scores: for every attention score: the softmax in float32, and its copy in the compute dtype.
        hidden_dropout: more of ``hidden`` with dropout.
        scores_dropout: more of ``scores`` with dropout on them.
        in_work: for every element of the inner width of one block, while its gradient is computed.
        logits: for every logit of the vocabulary loss that is held.
        gates: for every element of an LSTM's state, in each step.
    """

    item: float
    hidden: float
    intermediate: float
    slope: float
    scores: float
    hidden_dropout: float
    scores_dropout: float
    in_work: float
    logits: float
    gates: float


# By (whether XLA compiles the step, whether it computes in 16 bits). Counted from what each way of running keeps and
# checked against TensorFlow's allocator and XLA's buffer assignment, on a CPU. XLA widens 16 bits to 32 there, so for
# an accelerator the last line is an upper bound.
_KEPT = {
    (False, False): _Kept(4, 40, 12, 6, 6, 8, 8, 8, 17, 49),
    (False, True): _Kept(2, 22, 8, 2, 6, 4, 4, 4, 17, 49),
    (True, False): _Kept(4, 32, 12, 4, 4, 0, 4, 0, 8, 68),
    (True, True): _Kept(2, 32, 10, 4, 8, 4, 2, 0, 8, 68),
}


def memory_per_device(workload: Workload, precision: Precision, is_compiled: bool, num_replicas: int = 1) -> Memory:
    """Memory of a training step on each device.

    Weights, gradients and optimizer state are float32 in every precision, and whole on every replica.

    Args:
        workload: the step.
        precision: as in RuntimeConfig.
        is_compiled: whether XLA compiles forward and backward pass.
        num_replicas: devices that share the batch.
    """
    trained = trained_parameters(workload) * FLOAT32_BYTES
    sums = 1 if workload.accumulation_steps == 1 else 2  # of all micro-batches, beside the gradients of one
    return Memory(
        weights=parameters(workload) * FLOAT32_BYTES,
        gradients=trained * sums,
        optimizer=optimizer_bytes(workload),
        activations=_activations(workload, precision, is_compiled, num_replicas),
    )


def optimizer_bytes(workload: Workload) -> float:
    """State of the optimizer: what it keeps beside the weights, in float32."""
    trained = [variable for variable in variables(workload) if variable.is_trained]
    return FLOAT32_BYTES * sum(_slots(variable, workload.optimizer) for variable in trained)


def _slots(variable: Variable, optimizer: str) -> int:
    """Numbers of the optimizer's state for a variable."""
    is_matrix = len(variable.shape) > 1
    if optimizer == "adafactor":
        return sum(variable.shape) if is_matrix else variable.size
    if optimizer == "muon":
        is_hidden = is_matrix and not variable.name.startswith(("embedding/", "head/classifier"))
        return variable.size if is_hidden else 2 * variable.size
    return {"adamw": 2, "lamb": 2, "lion": 1}[optimizer] * variable.size


def _activations(workload: Workload, precision: Precision, is_compiled: bool, num_replicas: int) -> float:
    in_16_bits = precision != "float32"
    kept = _KEPT[is_compiled, in_16_bits]
    rows = workload.batch_size / (num_replicas * workload.accumulation_steps)
    held_logits = min(rows * workload.predictions, _positions_at_once(workload)) * workload.model.vocabulary_size
    of_family = _bert_activations if isinstance(workload.model, BertConfig) else _lstm_activations
    rounded_weights = kept.item * trained_parameters(workload) if in_16_bits else 0  # copies in the compute dtype
    return of_family(workload, rows, kept, kept.logits * held_logits) + rounded_weights


def _bert_activations(workload: Workload, rows: float, kept: _Kept, logits: float) -> float:
    model, tokens = workload.model, rows * workload.sequence_length
    hidden = kept.hidden + (kept.hidden_dropout if model.dropout else 0)
    scores = kept.scores + (kept.scores_dropout if model.attention_dropout else 0)
    intermediate = kept.intermediate - (kept.slope if model.activation == "relu" else 0)
    block = tokens * (
        hidden * model.hidden_dim
        + intermediate * model.intermediate_dim
        + scores * model.num_heads * workload.sequence_length
    )
    around = tokens * 5 * FLOAT32_BYTES * model.hidden_dim  # embeddings, their sum and norm, and the last output
    in_work = tokens * kept.in_work * model.intermediate_dim
    if workload.rematerialize:  # one block is computed again when most of what the logits needed is gone
        inputs = model.num_layers * tokens * kept.item * model.hidden_dim
        return inputs + around + max(logits, block + in_work + logits / 4)
    return model.num_layers * block + around + in_work + logits


def _lstm_activations(workload: Workload, rows: float, kept: _Kept, logits: float) -> float:
    tokens = rows * workload.sequence_length
    return tokens * kept.gates * _output_dim(workload.model) * workload.model.num_layers + logits


def has_chunks(workload: Workload, num_replicas: int = 1) -> bool:
    """Whether the vocabulary loss is computed in several chunks."""
    rows = workload.batch_size / (num_replicas * workload.accumulation_steps)
    return rows * workload.predictions > _positions_at_once(workload)


def _positions_at_once(workload: Workload) -> int:
    at_most = max(1, _LOGITS_AT_ONCE // (FLOAT32_BYTES * workload.model.vocabulary_size))
    return workload.positions_per_chunk or at_most


# Disk.


def checkpoint_bytes(workload: Workload) -> float:
    """Size of one checkpoint: weights and optimizer state."""
    return parameters(workload) * FLOAT32_BYTES + optimizer_bytes(workload)
