"""What an LSTM costs."""

from trainers.costs.family import Family
from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable, dense
from trainers.costs.recurrent import LstmLayers


class LstmCosts(Family):
    """Of `tfplm.models.lstm.Lstm`."""

    has_output_bias = True

    @property
    def embedding_dim(self) -> int:
        return self.model.embedding_dim

    @property
    def output_dim(self) -> int:
        return self._layers.output_dim

    @property
    def _layers(self) -> LstmLayers:
        model, num_directions = self.model, 2 if self.model.bidirectional else 1
        length, has_dropout = self.workload.sequence_length, model.dropout > 0
        return LstmLayers(model.num_layers, model.hidden_dim, model.embedding_dim, length, num_directions, has_dropout)

    @property
    def _has_projection(self) -> bool:
        return self.output_dim != self.embedding_dim

    def variables(self) -> list[Variable]:
        return [self.token_embedding(), *self._layers.variables()]

    def products(self) -> list[MatrixProduct]:
        return self._layers.products(self.workload.batch_size)

    def activations(self, rows: float, kept: Kept) -> Activations:
        return self._layers.activations(rows, kept)

    def head_variables(self) -> list[Variable]:
        projection = dense("head/projection", self.output_dim, self.embedding_dim) if self._has_projection else []
        return [*super().head_variables(), *projection]

    def head_products(self, positions: int) -> list[MatrixProduct]:
        projection = MatrixProduct("head/projection", positions, self.output_dim, self.embedding_dim)
        return [projection] if self._has_projection else []
