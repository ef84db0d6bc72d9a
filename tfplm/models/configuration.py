"""Configurations of the model families.

They stand apart from the models so that a YAML file is validated without importing Keras.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from tfplm.config import Config

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
PadId = Annotated[int, Field(ge=-1)]  # the tokenizer's: marks padding where inputs have no mask; −1: nothing does


class BertConfig(Config):
    """BERT, a bidirectional Transformer encoder.

    Source: Devlin et al. 2019, "BERT", section 3; the sizes tiny to base are those of Turc et al. 2019, table 1;
    Lan et al. 2020, "ALBERT", section 3.1, for ``embedding_dim`` and ``share_layers``.
    """

    type: Literal["bert"] = "bert"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    pad_id: PadId = 0
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 128
    num_segments: NonNegativeInt = 2  # 0: no segment embeddings
    embedding_dim: PositiveInt | None = None  # None: hidden_dim; another width leads to it by a dense layer
    share_layers: bool = False  # one block, applied num_layers times, as in ALBERT
    # relative: T5's learned bias on the attention scores, shared by the layers; a small model learns it far sooner
    position_embedding: Literal["learned", "sinusoidal", "relative"] = "learned"
    activation: Literal["gelu", "gelu_tanh", "relu"] = "gelu"
    pooler_activation: Literal["tanh", "gelu", "relu"] = "tanh"
    norm_first: bool = False  # True: pre-norm blocks with a last norm after the stack
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    layer_norm_epsilon: Annotated[float, Field(gt=0.0)] = 1e-12
    initializer_range: NonNegativeFloat = 0.02

    @model_validator(mode="after")
    def _widths_divide(self) -> "BertConfig":
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of num_heads {self.num_heads}")
        if self.position_embedding == "sinusoidal" and self.width_of_embeddings % 2:
            raise ValueError(
                f"the embeddings' width {self.width_of_embeddings} is odd: sinusoidal positions take a sine and a "
                "cosine each"
            )
        return self

    @property
    def width_of_embeddings(self) -> int:
        return self.embedding_dim or self.hidden_dim


class LstmConfig(Config):
    """Embedding and stacked LSTM: the baseline, as a classifier's encoder or as a language model.

    Source: Hochreiter and Schmidhuber 1997; Zaremba et al. 2014 for dropout between the layers only.
    """

    type: Literal["lstm"] = "lstm"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    pad_id: PadId = 0
    num_layers: PositiveInt = 1
    embedding_dim: PositiveInt = 128
    hidden_dim: PositiveInt = 128  # of each direction
    bidirectional: bool = True
    pooling: Literal["last", "max", "mean"] = "max"
    max_sequence_length: PositiveInt = 128
    dropout: Rate = 0.2
    initializer_range: NonNegativeFloat = 0.05


class LinearRotaryScaling(Config):
    """Rotary positions that stand ``factor`` times closer.

    Source: Chen et al. 2023, "Extending Context Window of Large Language Models via Positional Interpolation".
    """

    type: Literal["linear"] = "linear"
    factor: Annotated[float, Field(gt=0.0)]


class Llama3RotaryScaling(Config):
    """Rotary positions whose long waves alone are ``factor`` times longer, see `tfplm.layers.rotary`."""

    type: Literal["llama3"] = "llama3"
    factor: Annotated[float, Field(gt=0.0)]
    low_factor: Annotated[float, Field(gt=0.0)] = 1.0  # waves of fewer periods in the original length are long
    high_factor: Annotated[float, Field(gt=0.0)] = 4.0  # waves of more periods are short and stay
    original_length: PositiveInt  # tokens of a row before the rows were made longer

    @model_validator(mode="after")
    def _factors_are_ordered(self) -> "Llama3RotaryScaling":
        if self.high_factor <= self.low_factor:
            raise ValueError(f"high_factor {self.high_factor} is not over low_factor {self.low_factor}")
        return self


RotaryScaling = Annotated[LinearRotaryScaling | Llama3RotaryScaling, Field(discriminator="type")]


class GptConfig(Config):
    """A Transformer decoder. The defaults are GPT-2's kind; rotary, rms_norm, swiglu and no biases make it Llama's.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; Touvron et al. 2023, "LLaMA",
    section 2.2; Ainslie et al. 2023, "GQA", for ``num_key_value_heads``; Jiang et al. 2023, "Mistral 7B", section 2,
    for ``attention_window``; Bai et al. 2023, "Qwen Technical Report", section 2.3, for ``qkv_bias``.
    """

    type: Literal["gpt"] = "gpt"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    pad_id: PadId = 0
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    num_key_value_heads: PositiveInt | None = None  # None: as many as heads; fewer share keys and values
    hidden_dim: PositiveInt = 256
    head_dim: PositiveInt | None = None  # None: hidden_dim / num_heads
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 256
    position_embedding: Literal["learned", "rotary"] = "learned"
    rotary_base: Annotated[float, Field(gt=1.0)] = 10_000.0
    rotary_scaling: RotaryScaling | None = None  # of models whose rows were made longer after their training
    attention_window: PositiveInt | None = None  # a position sees so many, itself and those before; None: all
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm"
    activation: Literal["gelu_tanh", "gelu", "relu", "swiglu", "geglu"] = "gelu_tanh"
    use_bias: bool = True  # in dense layers, and in layer norms
    qkv_bias: bool | None = None  # in the projections of queries, keys and values; None: as use_bias
    tie_embeddings: bool = True  # the output weights are the token embeddings
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    norm_epsilon: Annotated[float, Field(gt=0.0)] = 1e-5
    initializer_range: NonNegativeFloat = 0.02

    @model_validator(mode="after")
    def _heads_fit(self) -> "GptConfig":
        if self.head_dim is None and self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of num_heads {self.num_heads}")
        if self.num_heads % self.key_value_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_key_value_heads {self.key_value_heads}"
            )
        if self.rotary_scaling is not None and self.position_embedding != "rotary":
            raise ValueError(
                f"rotary_scaling is for rotary positions, and position_embedding is {self.position_embedding}"
            )
        if self.position_embedding == "rotary" and self.width_of_head % 2:
            raise ValueError(f"the heads are {self.width_of_head} wide: rotary positions turn pairs of numbers")
        return self

    @property
    def key_value_heads(self) -> int:
        return self.num_key_value_heads or self.num_heads

    @property
    def width_of_head(self) -> int:
        return self.head_dim or self.hidden_dim // self.num_heads


class T5Config(Config):
    """T5, an encoder-decoder. The defaults are version 1.1's; relu with tied embeddings is the original.

    Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.1; Shazeer 2020, "GLU Variants
    Improve Transformer", for version 1.1.
    """

    type: Literal["t5"] = "t5"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    pad_id: PadId = 0
    num_layers: PositiveInt = 4  # of the encoder
    num_decoder_layers: PositiveInt | None = None  # None: as many as of the encoder
    num_heads: PositiveInt = 4
    head_dim: PositiveInt = 64  # need not be hidden_dim / num_heads
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 512
    max_sequence_length: PositiveInt = 512  # of source and target each; its positions are relative and know no end
    activation: Literal["geglu", "swiglu", "relu"] = "geglu"  # geglu: GELU by its tanh approximation, gated
    tie_embeddings: bool = False
    num_buckets: Annotated[int, Field(ge=4, multiple_of=2)] = 32
    max_distance: PositiveInt = 128
    dropout: Rate = 0.1
    norm_epsilon: Annotated[float, Field(gt=0.0)] = 1e-6
    initializer_factor: Annotated[float, Field(gt=0.0)] = 1.0

    @model_validator(mode="after")
    def _distances_fit(self) -> "T5Config":
        if self.max_distance <= self.num_buckets // 2:
            raise ValueError(f"max_distance {self.max_distance} is not over half of num_buckets {self.num_buckets}")
        return self

    @property
    def decoder_layers(self) -> int:
        return self.num_decoder_layers or self.num_layers


class LstmSeq2SeqConfig(Config):
    """A bidirectional LSTM encoder and an LSTM decoder that attends to it: the baseline of encoder-decoders.

    Source: Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", section 3.1.
    """

    type: Literal["lstm_seq2seq"] = "lstm_seq2seq"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    pad_id: PadId = 0
    num_layers: PositiveInt = 1  # of the encoder, and of the decoder
    embedding_dim: PositiveInt = 256
    hidden_dim: Annotated[int, Field(ge=2, multiple_of=2)] = 256  # of the decoder; half of it each encoder direction
    max_sequence_length: PositiveInt = 512  # of source and target each
    dropout: Rate = 0.2
    initializer_range: NonNegativeFloat = 0.3  # small ones learn little more than the frequencies for long


ModelConfig = Annotated[BertConfig | LstmConfig | GptConfig | T5Config | LstmSeq2SeqConfig, Field(discriminator="type")]
