"""What T5 costs."""

from trainers.costs.attention import Attention
from trainers.costs.family import Family
from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable, norm
from trainers.costs.transformer import Blocks


class T5Costs(Family):
    """Of `tfplm.models.t5.T5`."""

    is_encoder_decoder = True

    @property
    def embedding_dim(self) -> int:
        return self.model.hidden_dim

    @property
    def _stacks(self) -> tuple[Blocks, Blocks]:
        """Encoder and decoder."""
        model, source, target = self.model, self.workload.sequence_length, self.workload.target_length
        of_source = self._attention(target, source, is_cross=True)
        return (
            self._blocks(model.num_layers, self._attention(source, source)),
            self._blocks(model.decoder_layers, self._attention(target, target), of_source),
        )

    def _attention(self, queries: int, keys: int, is_cross: bool = False) -> Attention:
        model, heads = self.model, self.model.num_heads
        return Attention(
            model.hidden_dim,
            heads,
            heads,
            model.head_dim,
            queries,
            keys,
            is_cross,
            use_bias=False,
            has_dropout=model.dropout > 0,
        )

    def _blocks(self, count: int, attention: Attention, source_attention: Attention | None = None) -> Blocks:
        has_dropout = self.model.dropout > 0
        return Blocks(
            count,
            attention,
            self.model.intermediate_dim,
            self.model.activation,
            source_attention,
            use_bias=False,
            norm_bias=False,
            has_dropout=has_dropout,
            intermediate_dropout=has_dropout,
        )

    def variables(self) -> list[Variable]:
        positions = Variable("embedding/position", (self.model.num_buckets, self.model.num_heads))
        found = [self.token_embedding()]
        for stack in self._stacks:
            found += [positions, *stack.variables(), *norm("norm", self.model.hidden_dim, use_bias=False)]
        return found

    def products(self) -> list[MatrixProduct]:
        return [product for stack in self._stacks for product in stack.products(self.workload.batch_size)]

    def activations(self, rows: float, kept: Kept) -> Activations:
        encoder, decoder = (stack.activations(rows, kept, self.workload.rematerialize) for stack in self._stacks)
        return encoder + decoder

    def head_variables(self) -> list[Variable]:
        return self.output_embedding()
