"""The shape that the costs of every family have."""

from abc import ABC, abstractmethod

from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable
from trainers.costs.workload import Workload


class Family(ABC):
    """What the body of one kind of model costs, and what its vocabulary head has beside the vocabulary's product.

    Args:
        workload: the step, with a model of this family.
    """

    is_encoder_decoder = False
    has_output_bias = False  # of the vocabulary head

    def __init__(self, workload: Workload):
        self.workload, self.model = workload, workload.model

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Width of the token embeddings, and of what the vocabulary is compared with."""

    @property
    def output_dim(self) -> int:
        """Width of the body's outputs."""
        return self.embedding_dim

    @abstractmethod
    def variables(self) -> list[Variable]:
        """Those of the body."""

    @abstractmethod
    def products(self) -> list[MatrixProduct]:
        """Those of the body, in the forward pass over the whole batch."""

    @abstractmethod
    def activations(self, rows: float, kept: Kept) -> Activations:
        """What the body keeps of ``rows`` rows."""

    def head_variables(self) -> list[Variable]:
        """Those of the vocabulary head; the output weights are among them where they are no token embeddings."""
        if self.has_output_bias:
            return [Variable("head/output_bias", (self.model.vocabulary_size,))]
        return []

    def head_products(self, positions: int) -> list[MatrixProduct]:
        """Those at ``positions`` predicted positions before the one with the vocabulary."""
        return []

    def token_embedding(self) -> Variable:
        return Variable("embedding/token", (self.model.vocabulary_size, self.embedding_dim))

    def output_embedding(self) -> list[Variable]:
        """The output weights of a model with ``tie_embeddings``."""
        shape = (self.model.vocabulary_size, self.embedding_dim)
        return [] if self.model.tie_embeddings else [Variable("head/embedding", shape)]
