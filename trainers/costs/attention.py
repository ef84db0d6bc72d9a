"""What attention costs, in a Transformer block or alone."""

from dataclasses import dataclass

from trainers.costs.kept import Kept
from trainers.costs.parts import MatrixProduct, Variable, dense


@dataclass(frozen=True)
class Attention:
    """One attention layer, of `tfplm.layers.attention.MultiHeadAttention`.

    Args:
        hidden_dim: width of its inputs and outputs.
        num_heads: of the queries.
        num_key_value_heads: of keys and values.
        head_dim: width of a head.
        queries: tokens of a row that attend.
        keys: tokens of a row that they attend to.
        is_cross: whether these are of another sequence.
        use_bias: in the projections.
        qkv_bias: in those of queries, keys and values; None: as ``use_bias``.
        has_dropout: on the scores.
    """

    hidden_dim: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int
    queries: int
    keys: int
    is_cross: bool = False
    use_bias: bool = True
    has_dropout: bool = False
    qkv_bias: bool | None = None

    @property
    def _inner_dim(self) -> int:
        return self.num_heads * self.head_dim

    @property
    def _pairs_dim(self) -> int:
        return 2 * self.num_key_value_heads * self.head_dim

    def variables(self, name: str) -> list[Variable]:
        outputs = [self._inner_dim, self._pairs_dim] if self.is_cross else [self._inner_dim + self._pairs_dim]
        qkv_bias = self.use_bias if self.qkv_bias is None else self.qkv_bias
        inputs = [part for width in outputs for part in dense(name, self.hidden_dim, width, use_bias=qkv_bias)]
        return [*inputs, *dense(name, self._inner_dim, self.hidden_dim, use_bias=self.use_bias)]

    def products(self, name: str, rows: int, count: int) -> list[MatrixProduct]:
        """Those of ``count`` layers over so many rows."""
        of_queries, of_keys, width = rows * self.queries, rows * self.keys, self.hidden_dim
        projections = [
            MatrixProduct(f"{name}/query", of_queries, width, self._inner_dim, count),
            MatrixProduct(f"{name}/key_value", of_keys, width, self._pairs_dim, count),
        ]
        if not self.is_cross:
            projections = [MatrixProduct(f"{name}/qkv", of_queries, width, self._inner_dim + self._pairs_dim, count)]
        # Heads that share keys and values are rows of one product.
        shared = self.queries * self.num_heads // self.num_key_value_heads
        num_products = rows * self.num_key_value_heads * count
        return [
            *projections,
            MatrixProduct(f"{name}/scores", shared, self.head_dim, self.keys, num_products, is_batched=True),
            MatrixProduct(f"{name}/context", shared, self.keys, self.head_dim, num_products, is_batched=True),
            MatrixProduct(f"{name}/output", of_queries, self._inner_dim, width, count),
        ]

    def kept_bytes(self, rows: float, kept: Kept) -> float:
        """Of queries, keys, values, scores and context; not of what the layer reads and gives."""
        scores = kept.scores + (kept.scores_dropout if self.has_dropout else 0)
        of_query = 2 * kept.head * self._inner_dim + scores * self.num_heads * self.keys  # the context is as wide
        return rows * (self.queries * of_query + self.keys * kept.head * self._pairs_dim)
