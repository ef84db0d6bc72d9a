"""What LSTM layers cost."""

from dataclasses import dataclass

from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable

_GATES = 4


@dataclass(frozen=True)
class LstmLayers:
    """LSTM layers on end, of `tfplm.layers.lstm`.

    Args:
        count: of layers.
        units: of each direction.
        input_dim: of the first layer.
        length: tokens of a row.
        num_directions: 1, or 2 side by side.
        has_dropout: on the inputs of every layer.
    """

    count: int
    units: int
    input_dim: int
    length: int
    num_directions: int = 1
    has_dropout: bool = False

    @property
    def output_dim(self) -> int:
        return self.units * self.num_directions

    @property
    def _input_dims(self) -> list[int]:
        return [self.input_dim, *[self.output_dim] * (self.count - 1)]

    def variables(self) -> list[Variable]:
        gates, found = _GATES * self.units, []
        for width in self._input_dims:
            direction = [
                Variable("lstm/kernel", (width, gates)),
                Variable("lstm/recurrent_kernel", (self.units, gates)),
                Variable("lstm/bias", (gates,)),
            ]
            found += direction * self.num_directions
        return found

    def products(self, rows: int) -> list[MatrixProduct]:
        """With the inputs of all steps at once, with the state step by step."""
        gates, directions = _GATES * self.units, self.num_directions
        tokens, steps = rows * self.length, self.length * directions * self.count
        inputs = [MatrixProduct("lstm/inputs", tokens, width, gates, directions) for width in self._input_dims]
        return [*inputs, MatrixProduct("lstm/recurrent", rows, self.units, gates, steps)]

    def activations(self, rows: float, kept: Kept) -> Activations:
        tokens = rows * self.length
        of_layer = tokens * self.output_dim
        dropouts = 2 * kept.part_dropout * tokens * sum(self._input_dims) if self.has_dropout else 0
        return Activations(self.count * kept.state * of_layer + dropouts, kept.state_in_work * of_layer)
