"""LSTM layers that begin anew with every text of a row."""

import keras
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="tfplm")
class LSTM(keras.layers.Layer):
    """One direction of an LSTM over rows that hold one text or several.

    Its variables and numbers are those of `keras.layers.LSTM`, but the state is zero again wherever the packing id
    changes, so that no text, and no padding, reaches the next one. The products with the inputs and the gradient of the
    recurrent kernel are one product each over all steps, and the gradient is written out: XLA compiles both loops to
    little more than their recurrent product, where Keras's layer is slower compiled than not on a CPU.

    Source: Hochreiter and Schmidhuber 1997; Gers et al. 2000, "Learning to Forget", for the forget gate.

    Args:
        units: width of the state and of the outputs.
        go_backwards: whether the last step comes first. The outputs stand where their inputs do all the same.
    """

    def __init__(self, units: int, go_backwards: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.go_backwards = go_backwards
        self.cell = keras.layers.LSTMCell(units, dtype=self.dtype_policy, name="lstm_cell")

    def build(self, inputs_shape, packing_ids_shape=None):
        self.cell.build((inputs_shape[0], inputs_shape[-1]))

    def call(self, inputs, packing_ids):
        """Reads the rows.

        Args:
            inputs: (batch, sequence, dim) float.
            packing_ids: (batch, sequence) integers or bool, equal where the tokens are of one text.

        Returns:
            (batch, sequence, units).
        """
        variables = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        kernel, recurrent_kernel, bias = (ops.cast(variable, self.compute_dtype) for variable in variables)
        steps = ops.transpose(inputs, (1, 0, 2))
        gate_inputs = ops.add(ops.matmul(steps, kernel), bias)  # (sequence, batch, 4 units)
        kept = ops.cast(_continues(packing_ids, self.go_backwards), self.compute_dtype)
        outputs = _recurrence(self.go_backwards)(gate_inputs, kept, recurrent_kernel)
        return ops.transpose(outputs, (1, 0, 2))

    def compute_output_shape(self, inputs_shape, packing_ids_shape=None):
        return (*inputs_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "go_backwards": self.go_backwards}


@keras.saving.register_keras_serializable(package="tfplm")
class Bidirectional(keras.layers.Layer):
    """Two of these LSTMs, one in each direction, side by side.

    Source: Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks".

    Args:
        units: width of each direction.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.forward_layer = LSTM(units, dtype=self.dtype_policy, name="forward")
        self.backward_layer = LSTM(units, go_backwards=True, dtype=self.dtype_policy, name="backward")

    def build(self, inputs_shape, packing_ids_shape=None):
        self.forward_layer.build(inputs_shape)
        self.backward_layer.build(inputs_shape)

    def call(self, inputs, packing_ids):
        """Maps what `LSTM` takes to (batch, sequence, 2 units), the forward direction first."""
        layers = (self.forward_layer, self.backward_layer)
        return ops.concatenate([layer(inputs, packing_ids) for layer in layers], axis=-1)

    def compute_output_shape(self, inputs_shape, packing_ids_shape=None):
        return (*inputs_shape[:-1], 2 * self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def _continues(packing_ids: KerasTensor, go_backwards: bool) -> KerasTensor:
    """Whether a step is of the same text as the one that is read before it: bool (sequence, batch, 1)."""
    ids = ops.transpose(ops.cast(packing_ids, "int32"))
    same = ops.equal(ids[1:], ids[:-1])
    nothing = ops.zeros_like(ids[:1], dtype="bool")
    return ops.expand_dims(ops.concatenate([same, nothing] if go_backwards else [nothing, same], axis=0), -1)


def _recurrence(go_backwards: bool):
    """The loop over the steps, with its gradient.

    Returns:
        A function of the gates' inputs (sequence, batch, 4 units), which of the steps keep the state of the one read
        before, 0 or 1 (sequence, batch, 1), and the recurrent kernel (units, 4 units); it returns the outputs
        (sequence, batch, units).
    """

    @ops.custom_gradient
    def run(gate_inputs, kept, recurrent_kernel):
        """Outputs (sequence, batch, units), in the order of the sequence."""

        def step(carry, xs):
            output, state, _ = carry
            gate_input, keep = xs
            sums = gate_input + ops.matmul(output * keep, recurrent_kernel)
            into, forget, new, out = ops.split(sums, 4, axis=-1)
            into, forget, new, out = ops.sigmoid(into), ops.sigmoid(forget), ops.tanh(new), ops.sigmoid(out)
            state = forget * (state * keep) + into * new
            carry = out * ops.tanh(state), state, ops.concatenate([into, forget, new, out], axis=-1)
            return carry, carry

        _, (outputs, states, gates) = ops.scan(step, _zeros(gate_inputs), (gate_inputs, kept), reverse=go_backwards)

        def gradient(output_gradients):
            """Of the gates' inputs, of ``kept`` (none) and of the kernel, in one product over all steps."""
            into, forget, new, out = ops.split(gates, 4, axis=-1)
            squashed = ops.tanh(states)
            states_before = _before(states, go_backwards) * kept
            # How the state follows from the sums of three gates, and the output from those of the fourth.
            slopes = ops.concatenate(
                [
                    new * into * (1 - into),
                    states_before * forget * (1 - forget),
                    into * (1 - new * new),
                    squashed * out * (1 - out),
                ],
                axis=-1,
            )
            of_state = out * (1 - squashed * squashed)  # how the output follows from the state
            transposed = ops.transpose(recurrent_kernel)

            def step_back(carry, xs):
                output, state, _ = carry  # gradients, from the steps that were read after this one
                of_output, of_state, slope, forget, keep = xs
                output = output + of_output
                state = state + output * of_state
                sums = ops.concatenate([state, state, state, output], axis=-1) * slope
                carry = ops.matmul(sums, transposed) * keep, state * forget * keep, sums
                return carry, carry

            xs = (output_gradients, of_state, slopes, forget, kept)
            _, (_, _, sums) = ops.scan(step_back, _zeros(gate_inputs), xs, reverse=not go_backwards)
            outputs_before = _before(outputs, go_backwards) * kept
            of_kernel = ops.matmul(ops.transpose(_flat(outputs_before)), _flat(sums))
            return sums, ops.zeros_like(kept), of_kernel

        return outputs, gradient

    return run


def _zeros(gate_inputs: KerasTensor) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    """What the loops begin with: of the widths of output, state and gates."""
    gates = ops.zeros_like(gate_inputs[0])
    units = gates.shape[-1] // 4
    return gates[:, :units], gates[:, :units], gates


def _before(values: KerasTensor, go_backwards: bool) -> KerasTensor:
    """What was there after the step that is read before: (sequence, …), zero at the first."""
    nothing = ops.zeros_like(values[:1])
    return ops.concatenate([values[1:], nothing] if go_backwards else [nothing, values[:-1]], axis=0)


def _flat(values: KerasTensor) -> KerasTensor:
    return ops.reshape(values, (-1, values.shape[-1]))
