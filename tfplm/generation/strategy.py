"""What the ways to choose tokens have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from keras import KerasTensor, ops

from tfplm.feature_names import INDEX
from tfplm.generation.logits import restricted, token_set
from tfplm.generation.plan import Plan
from tfplm.generation.writer import Decoded

Carry = dict  # by name what a step gets from the one before: tensors, and "state", the writer's
Decode = Callable[[KerasTensor, dict], Decoded]


class Strategy(ABC):
    """A way to choose tokens, as pure functions of tensors with static shapes.

    Its carry holds "state", the writer's; "history", (rows, columns) int32, the tokens in the columns of the cache;
    "ended", bool with one value for whatever ends by itself; and what else it needs.

    Args:
        plan: what of the settings is compiled.
    """

    def __init__(self, plan: Plan):
        self.plan = plan

    @abstractmethod
    def begin(self, decoded: Decoded, history: KerasTensor, ended: KerasTensor, controls: dict) -> Carry:
        """What the first step gets.

        Args:
            decoded: of the prompts, (batch, …).
            history: (batch, columns) int32, the prompts in the columns of the cache and padding behind them.
            ended: bool (batch,), True where nothing is to be written.
            controls: of `tfplm.generation.plan.build_controls`.
        """

    @abstractmethod
    def step(self, decode: Decode, carry: Carry, controls: dict) -> Carry:
        """Writes one token a row and lets the writer read it."""

    @abstractmethod
    def answers(self, carry: Carry) -> tuple[KerasTensor, KerasTensor | None]:
        """What is written so far: history (batch · texts, columns), and the log-probabilities alike if wanted."""

    def _remember(self, history: KerasTensor, controls: dict, vocabulary_size: int) -> Carry:
        """What every strategy carries along to look back: histories, and on request two more of (rows, …)."""
        carry = {"history": history}
        if self.plan.penalizes_repetition:
            columns = ops.arange(history.shape[1], dtype="int32")[None]
            is_prompt = ops.broadcast_to(ops.less(columns, controls["start"]), history.shape)
            carry["seen"] = token_set(history, is_prompt, vocabulary_size)
        if self.plan.gives_log_probabilities:
            carry["log_probabilities"] = ops.zeros(history.shape, dtype="float32")
        return carry

    def _restricted(self, logits: KerasTensor, carry: Carry, controls: dict) -> KerasTensor:
        index = carry["state"][INDEX]
        return restricted(self.plan, logits, carry["history"], index, carry.get("seen"), controls)

    def _written(
        self,
        memory: Carry,
        index: KerasTensor,
        token_ids: KerasTensor,
        logits: KerasTensor,
        has_ended: KerasTensor | None = None,
    ) -> Carry:
        """What `_remember` began, with one more token.

        Args:
            memory: of (rows, …), the rows of the tokens.
            index: int32 scalar, the tokens' column.
            token_ids: (rows,) int32.
            logits: (rows, vocabulary) float32 of the model, whose probabilities are told.
            has_ended: bool (rows,), where the token is padding, whose probability is not told; None: nowhere.
        """
        column = token_ids[:, None]
        written = {"history": ops.slice_update(memory["history"], (0, index), column)}
        if "seen" in memory:
            is_token = ops.equal(ops.arange(logits.shape[1], dtype="int32")[None], column)
            written["seen"] = ops.logical_or(memory["seen"], is_token)
        if "log_probabilities" in memory:
            told = ops.take_along_axis(ops.log_softmax(logits), column, axis=1)
            if has_ended is not None:
                told = ops.where(has_ended[:, None], 0.0, told)
            written["log_probabilities"] = ops.slice_update(memory["log_probabilities"], (0, index), told)
        return written


def rows_of(tensors: dict[str, KerasTensor], rows: KerasTensor) -> dict[str, KerasTensor]:
    """The given rows, (count,) int32, of all tensors but `INDEX`."""
    return {name: value if name == INDEX else ops.take(value, rows, axis=0) for name, value in tensors.items()}


def repeated_rows(batch_size: int, repeats: int) -> KerasTensor:
    """0, 0, …, 1, 1, …: int32 (batch_size · repeats,)."""
    return ops.repeat(ops.arange(batch_size, dtype="int32"), repeats)
