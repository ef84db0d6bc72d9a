"""Configurations of the model families.

They stand apart from the models so that a YAML file is validated without importing Keras.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from tfplm.config import Config

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]


class BertConfig(Config):
    """BERT, a bidirectional Transformer encoder.

    Source: Devlin et al. 2019, "BERT", section 3; the sizes tiny to base are those of Turc et al. 2019, table 1.
    """

    type: Literal["bert"] = "bert"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 128
    num_segments: PositiveInt = 2
    # relative: T5's learned bias on the attention scores, shared by the layers; a small model learns it far sooner
    position_embedding: Literal["learned", "sinusoidal", "relative"] = "learned"
    activation: Literal["gelu", "gelu_tanh", "relu"] = "gelu"
    norm_first: bool = False  # True: pre-norm blocks with a last norm after the stack
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    layer_norm_epsilon: Annotated[float, Field(gt=0.0)] = 1e-12
    initializer_range: NonNegativeFloat = 0.02

    @model_validator(mode="after")
    def _widths_divide(self) -> "BertConfig":
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of num_heads {self.num_heads}")
        if self.position_embedding == "sinusoidal" and self.hidden_dim % 2:
            raise ValueError(f"hidden_dim {self.hidden_dim} is odd: sinusoidal positions take a sine and a cosine each")
        return self


class LstmConfig(Config):
    """Embedding and stacked LSTM: the baseline, as a classifier's encoder or as a language model.

    Source: Hochreiter and Schmidhuber 1997; Zaremba et al. 2014 for dropout between the layers only.
    """

    type: Literal["lstm"] = "lstm"
    vocabulary_size: PositiveInt | None = None  # None: the tokenizer's
    num_layers: PositiveInt = 1
    embedding_dim: PositiveInt = 128
    hidden_dim: PositiveInt = 128  # of each direction
    bidirectional: bool = True
    pooling: Literal["last", "max", "mean"] = "max"
    max_sequence_length: PositiveInt = 128
    dropout: Rate = 0.2
    initializer_range: NonNegativeFloat = 0.05


ModelConfig = Annotated[BertConfig | LstmConfig, Field(discriminator="type")]
