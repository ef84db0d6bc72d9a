"""What the blocks of a Transformer cost, encoder or decoder."""

from dataclasses import dataclass, replace

from trainers.costs.attention import Attention
from trainers.costs.kept import Kept
from trainers.costs.parts import FLOAT32_BYTES, Activations, MatrixProduct, Variable, dense, norm

_GATED = ("swiglu", "geglu")


@dataclass(frozen=True)
class Blocks:
    """Equal blocks on end, of `tfplm.layers.transformer_block.TransformerBlock`.

    Args:
        count: of blocks.
        attention: of each to itself; its queries are the tokens of a row.
        intermediate_dim: inside the feed-forward part.
        activation: of the feed-forward part.
        source_attention: of each to another sequence, or None.
        norm_first: whether the norm comes before each part.
        use_bias: in the dense layers.
        norm_bias: in the norms.
        has_dropout: on the output of every part.
        intermediate_dropout: inside the feed-forward part.
    """

    count: int
    attention: Attention
    intermediate_dim: int
    activation: str
    source_attention: Attention | None = None
    norm_first: bool = True
    use_bias: bool = True
    norm_bias: bool = True
    has_dropout: bool = False
    intermediate_dropout: bool = False

    @property
    def _attentions(self) -> dict[str, Attention]:
        of_source = {} if self.source_attention is None else {"block/source_attention": self.source_attention}
        return {"block/attention": self.attention, **of_source}

    @property
    def _first_dim(self) -> int:
        return self.intermediate_dim * (2 if self.activation in _GATED else 1)

    def variables(self) -> list[Variable]:
        width = self.attention.hidden_dim
        block = [
            *dense("block/intermediate", width, self._first_dim, self.use_bias),
            *dense("block/output", self.intermediate_dim, width, self.use_bias),
            *norm("block/norm", width, self.norm_bias),
        ]
        for name, attention in self._attentions.items():
            block += [*attention.variables(name), *norm("block/norm", width, self.norm_bias)]
        return block * self.count

    def products(self, rows: int) -> list[MatrixProduct]:
        tokens, width = rows * self.attention.queries, self.attention.hidden_dim
        found = [part for name, each in self._attentions.items() for part in each.products(name, rows, self.count)]
        found.append(MatrixProduct("block/intermediate", tokens, width, self._first_dim, self.count))
        last = MatrixProduct("block/output", tokens, self.intermediate_dim, width, self.count)
        # With the norm first nothing but the sum comes behind the last product, and no gradient asks for its result.
        last = replace(last, is_rematerialized=not self.norm_first)
        return [*(replace(product, is_rematerialized=True) for product in found), last]

    def activations(self, rows: float, kept: Kept, rematerialize: bool) -> Activations:
        tokens, width = rows * self.attention.queries, self.attention.hidden_dim
        around = tokens * 5 * FLOAT32_BYTES * width  # embeddings, their sum and norm, and the last output
        in_work = tokens * kept.in_work * self.intermediate_dim
        if rematerialize:
            inputs = self.count * tokens * kept.item * width
            return Activations(inputs + around, self._block_bytes(rows, kept) + in_work)
        return Activations(self.count * self._block_bytes(rows, kept) + around + in_work)

    def _block_bytes(self, rows: float, kept: Kept) -> float:
        of_part = kept.part + (kept.part_dropout if self.has_dropout else 0)
        of_inner = kept.inner[self.activation] + (kept.inner_dropout if self.intermediate_dropout else 0)
        parts = (len(self._attentions) + 1) * of_part * self.attention.hidden_dim
        of_tokens = rows * self.attention.queries * (parts + of_inner * self.intermediate_dim)
        return of_tokens + sum(attention.kept_bytes(rows, kept) for attention in self._attentions.values())
