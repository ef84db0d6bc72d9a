"""What an LSTM encoder-decoder costs."""

from trainers.costs.attention import Attention
from trainers.costs.family import Family
from trainers.costs.kept import Kept
from trainers.costs.parts import Activations, MatrixProduct, Variable, dense
from trainers.costs.recurrent import LstmLayers


class LstmSeq2SeqCosts(Family):
    """Of `tfplm.models.lstm_seq2seq.LstmSeq2Seq`."""

    is_encoder_decoder = True
    has_output_bias = True

    @property
    def embedding_dim(self) -> int:
        return self.model.embedding_dim

    @property
    def _layers(self) -> tuple[LstmLayers, LstmLayers]:
        """Encoder and decoder, which reads the token and the summary of the source."""
        model, source, target = self.model, self.workload.sequence_length, self.workload.target_length
        count, width, has_dropout = model.num_layers, model.hidden_dim, model.dropout > 0
        return (
            LstmLayers(count, width // 2, self.embedding_dim, source, num_directions=2, has_dropout=has_dropout),
            LstmLayers(count, width, 2 * self.embedding_dim, target, has_dropout=has_dropout),
        )

    @property
    def _attention(self) -> Attention:
        width, queries, keys = self.model.hidden_dim, self.workload.target_length, self.workload.sequence_length
        return Attention(width, 1, 1, width, queries, keys, is_cross=True, use_bias=False)

    def variables(self) -> list[Variable]:
        width, (encoder, decoder) = self.model.hidden_dim, self._layers
        return [
            self.token_embedding(),
            *encoder.variables(),
            *decoder.variables(),
            *self._attention.variables("attention"),
            *dense("bridge", width, self.embedding_dim),
            *dense("combination", 2 * width, self.embedding_dim),
        ]

    def products(self) -> list[MatrixProduct]:
        rows, width, (encoder, decoder) = self.workload.batch_size, self.model.hidden_dim, self._layers
        return [
            *encoder.products(rows),
            *decoder.products(rows),
            *self._attention.products("attention", rows, 1),
            MatrixProduct("bridge", rows, width, self.embedding_dim),
            MatrixProduct("combination", rows * self.workload.target_length, 2 * width, self.embedding_dim),
        ]

    def activations(self, rows: float, kept: Kept) -> Activations:
        encoder, decoder = (layers.activations(rows, kept) for layers in self._layers)
        return encoder + decoder + Activations(self._attention.kept_bytes(rows, kept))
