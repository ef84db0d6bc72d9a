"""What neighbouring tags say of each other: a linear-chain conditional random field over scores of tokens."""

import keras
from keras import KerasTensor, ops

_NEVER = -1e9
_LEAST = 1e-30


def value_before(values: KerasTensor, counts: KerasTensor, none: int) -> KerasTensor:
    """What the last token that counts before each token has.

    Args:
        values: int32 (batch, tokens), none below ``none``.
        counts: bool (batch, tokens).
        none: where no token before counts.

    Returns:
        int32 (batch, tokens).
    """
    batch, length = ops.shape(values)
    rows = ops.expand_dims(ops.arange(batch, dtype="int32") * length, -1)
    counted = ops.cast(counts, "int32")
    number = ops.cumsum(counted, axis=1) - counted  # of the tokens that count before each
    # All that count in order, and one place for the others.
    places = ops.where(counts, rows + number, batch * length)
    in_order = ops.segment_max(ops.reshape(values, (-1,)), ops.reshape(places, (-1,)), batch * length + 1)
    return ops.where(number > 0, ops.take(in_order, ops.maximum(rows + number - 1, 0)), none)


@keras.saving.register_keras_serializable(package="tfplm")
class LinearChain(keras.layers.Layer):
    """The probability of sequences of tags, given scores of each tag for each token.

    A sequence scores the sum of its tags' scores, of ``starts`` for the first and of ``transitions`` from each to the
    next. Rows may hold several sequences, and tokens that are in none.

    Source: Lafferty et al. 2001, "Conditional Random Fields", section 3; Lample et al. 2016, "Neural Architectures for
    Named Entity Recognition", section 2.2.

    Args:
        num_classes: tags.

    Example:
        >>> chain = LinearChain(3)
        >>> losses = -chain.log_likelihoods(scores, tags, decides)
    """

    def __init__(self, num_classes: int, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.starts = self.add_weight(shape=(num_classes,), initializer="zeros", name="starts", autocast=False)
        shape = (num_classes, num_classes)  # from the row's tag to the column's
        self.transitions = self.add_weight(shape=shape, initializer="zeros", name="transitions", autocast=False)
        self.built = True

    def log_likelihoods(
        self, scores: KerasTensor, tags: KerasTensor, decides: KerasTensor, packing_ids: KerasTensor | None = None
    ) -> KerasTensor:
        """The log-probability of the tags of each row.

        Args:
            scores: float32 (batch, tokens, classes).
            tags: int32 (batch, tokens), of no meaning where a token decides nothing.
            decides: bool (batch, tokens), the tokens that have a tag.
            packing_ids: int32 (batch, tokens), equal within a sequence; None: a row is one.

        Returns:
            float32 (batch,), 0 where no token decides.
        """
        packing_ids = ops.ones_like(tags) if packing_ids is None else ops.cast(packing_ids, "int32")
        begins = decides & (value_before(packing_ids, decides, -1) != packing_ids)
        return self._of_tags(scores, tags, decides, begins) - self._of_all(scores, decides, begins)

    @property
    def _learned(self) -> tuple[KerasTensor, KerasTensor]:
        """Starts and transitions; variables themselves are no operands of JAX."""
        return ops.convert_to_tensor(self.starts), ops.convert_to_tensor(self.transitions)

    def _of_tags(self, scores, tags, decides, begins) -> KerasTensor:
        """The score of the tags (batch,)."""
        own = ops.squeeze(ops.take_along_axis(scores, ops.expand_dims(tags, -1), axis=-1), -1)
        before = value_before(tags, decides, 0)
        starts, transitions = self._learned
        steps = ops.take(ops.reshape(transitions, (-1,)), before * self.num_classes + tags)
        own = own + ops.where(begins, ops.take(starts, tags), steps)
        return ops.sum(ops.where(decides, own, 0.0), axis=1)

    def _of_all(self, scores, decides, begins) -> KerasTensor:
        """The log of the sum over all sequences of tags (batch,): a product of matrices, in a tree.

        A token takes a step from any tag before it; where a sequence begins, the one before is over and its sum is
        kept; a token that decides nothing leaves all as it is.
        """
        ends = (slice(None), slice(None), None, None)
        stay = ops.where(ops.eye(self.num_classes) > 0, 0.0, _NEVER)
        steps = ops.where(begins[ends], *self._learned) + ops.expand_dims(scores, -2)
        product = ops.where(decides[ends], steps, stay)  # (batch, tokens, classes, classes)
        count = product.shape[1]
        while count > 1:
            if count % 2:
                rest = ops.broadcast_to(stay, (ops.shape(product)[0], 1, *stay.shape))
                product = ops.concatenate([product, rest], axis=1)
            product = _log_matmul(product[:, 0::2], product[:, 1::2])
            count = -(-count // 2)
        # Before the first tag there is none: any row of the first step is that of the beginning.
        return ops.where(ops.any(decides, axis=1), ops.logsumexp(product[:, 0, 0], axis=-1), 0.0)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


def _log_matmul(left: KerasTensor, right: KerasTensor) -> KerasTensor:
    """The product of matrices of exponentials, as logarithms; what is 69 below the largest is lost."""
    of_rows = ops.max(left, axis=-1, keepdims=True)
    of_columns = ops.max(right, axis=-2, keepdims=True)
    product = ops.matmul(ops.exp(left - of_rows), ops.exp(right - of_columns))
    return ops.log(ops.maximum(product, _LEAST)) + of_rows + of_columns
