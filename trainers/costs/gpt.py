"""What GPT costs."""

from trainers.costs.attention import Attention
from trainers.costs.family import Family
from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable, norm
from trainers.costs.transformer import Blocks


class GptCosts(Family):
    """Of `tfplm.models.gpt.Gpt`."""

    @property
    def embedding_dim(self) -> int:
        return self.model.hidden_dim

    @property
    def _norm_bias(self) -> bool:
        return self.model.use_bias and self.model.norm == "layer_norm"

    @property
    def _blocks(self) -> Blocks:
        model, length = self.model, self.workload.sequence_length
        return Blocks(
            count=model.num_layers,
            attention=Attention(
                model.hidden_dim,
                model.num_heads,
                model.key_value_heads,
                model.width_of_head,
                length,
                length,
                use_bias=model.use_bias,
                has_dropout=model.attention_dropout > 0,
                qkv_bias=model.qkv_bias,
            ),
            intermediate_dim=model.intermediate_dim,
            activation=model.activation,
            use_bias=model.use_bias,
            norm_bias=self._norm_bias,
            has_dropout=model.dropout > 0,
        )

    def variables(self) -> list[Variable]:
        width = self.model.hidden_dim
        found = [self.token_embedding(), *self._blocks.variables(), *norm("norm", width, self._norm_bias)]
        if self.model.position_embedding == "learned":
            found.append(Variable("embedding/position", (self.model.max_sequence_length, width)))
        return found

    def products(self) -> list[MatrixProduct]:
        return self._blocks.products(self.workload.batch_size)

    def activations(self, rows: float, kept: Kept) -> Activations:
        return self._blocks.activations(rows, kept, self.workload.rematerialize)

    def head_variables(self) -> list[Variable]:
        return self.output_embedding()
