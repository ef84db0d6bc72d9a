"""What BERT costs."""

from dataclasses import replace

from trainers.costs.attention import Attention
from trainers.costs.family import Family
from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable, dense, norm
from trainers.costs.transformer import Blocks

_RELATIVE_BUCKETS = 32  # of tfplm.layers.relative_position_bias


class BertCosts(Family):
    """Of `tfplm.models.bert.Bert`."""

    has_output_bias = True

    @property
    def embedding_dim(self) -> int:
        return self.model.width_of_embeddings

    @property
    def _blocks(self) -> Blocks:
        model, length = self.model, self.workload.sequence_length
        heads, head_dim = model.num_heads, model.hidden_dim // model.num_heads
        return Blocks(
            count=model.num_layers,
            attention=Attention(
                model.hidden_dim, heads, heads, head_dim, length, length, has_dropout=model.attention_dropout > 0
            ),
            intermediate_dim=model.intermediate_dim,
            activation=model.activation,
            norm_first=model.norm_first,
            has_dropout=model.dropout > 0,
        )

    def variables(self) -> list[Variable]:
        model, width, embedded = self.model, self.model.hidden_dim, self.embedding_dim
        blocks = replace(self._blocks, count=1) if model.share_layers else self._blocks
        found = [
            self.token_embedding(),
            *norm("norm", embedded),
            *blocks.variables(),
            *dense("pooler", width, width, is_trained=self.workload.is_pooled),
        ]
        if model.num_segments:
            found.append(Variable("embedding/segment", (model.num_segments, embedded)))
        if embedded != width:
            found += dense("embedding_projection", embedded, width)
        if model.position_embedding == "learned":
            found.append(Variable("embedding/position", (model.max_sequence_length, embedded)))
        elif model.position_embedding == "relative":
            found.append(Variable("embedding/position", (_RELATIVE_BUCKETS, model.num_heads)))
        return [*found, *norm("norm", width)] if model.norm_first else found

    def products(self) -> list[MatrixProduct]:
        rows, width = self.workload.batch_size, self.model.hidden_dim
        found = self._blocks.products(rows)
        if self.workload.is_pooled:
            found.append(MatrixProduct("pooler", rows, width, width))
        if self.embedding_dim != width:
            tokens = rows * self.workload.sequence_length
            found.append(MatrixProduct("embedding_projection", tokens, self.embedding_dim, width))
        return found

    def activations(self, rows: float, kept: Kept) -> Activations:
        return self._blocks.activations(rows, kept, self.workload.rematerialize)

    def head_variables(self) -> list[Variable]:
        width = self.model.hidden_dim
        next_sentence = dense("head/next_sentence", width, 2) if self.workload.next_sentence else []
        embedded = self.embedding_dim
        transform = [*dense("head/transform", width, embedded), *norm("head/transform_norm", embedded)]
        return [*super().head_variables(), *transform, *next_sentence]

    def head_products(self, positions: int) -> list[MatrixProduct]:
        width = self.model.hidden_dim
        transform = [MatrixProduct("head/transform", positions, width, self.embedding_dim)]
        if self.workload.next_sentence:
            transform.append(MatrixProduct("head/next_sentence", self.workload.batch_size, width, 2))
        return transform
