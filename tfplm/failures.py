"""What the command line says, and which exit code it gives, when a command fails."""

import errno
import os
import sys
import traceback

from tfplm.errors import UserError

USER_ERROR = 2
FAULT = 1
INTERRUPTED = 128 + 2  # as a shell reports a process that SIGINT ended
BROKEN_PIPE = 128 + 13  # as a shell reports a process that SIGPIPE ended
PREEMPTED = 128 + 15  # as a shell reports a process that SIGTERM ended


class Preempted(Exception):  # noqa: N818 – no error: the work was saved
    """SIGTERM asked the process to end, and it has saved what it had.

    Args:
        step: of the checkpoint; None where a stage was finished just then.
    """

    def __init__(self, step: int | None):
        self.step = step
        super().__init__("preempted" if step is None else f"preempted: saved at step {step}")


def report_failure(error: BaseException, debug: bool, resumable: bool) -> int:
    """Tells a person on standard error why the command failed.

    Args:
        error: what ended the command.
        debug: whether to show the traceback first.
        resumable: whether the same command, given again, goes on where this one stopped.

    Returns:
        The exit code: 2 for what a person can mend, 130 for Ctrl-C, 143 for SIGTERM, 1 for a fault of the program.
    """
    _drop_unwritable_output()
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if debug:
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        go_on = ": run the same command again to go on from the last checkpoint" if resumable else ""
        print(f"interrupted{go_on}", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, Preempted):
        print(f"{error}; run the same command again to go on", file=sys.stderr)
        return PREEMPTED
    for_person = explain(error)
    if for_person is None:
        remedy = "" if debug else "\nThis is a fault of tfplm; run with --debug to see the traceback, and report it."
        print(f"error: {type(error).__name__}: {error}{remedy}", file=sys.stderr)
        return FAULT
    print(f"error: {for_person}", file=sys.stderr)
    return USER_ERROR


def explain(error: BaseException) -> UserError | None:
    """The error in words for a person, when it comes from outside the program; None for a fault of the program."""
    if isinstance(error, UserError):
        return error
    if is_full_disk(error):
        return UserError(
            f"There is no space left on the disk{_place(error)}.",
            remedy="Free some space or choose another output_dir, then run the same command again.",
        )
    if isinstance(error, MemoryError) or _is_tensorflow_out_of_memory(error):
        return UserError(
            "There is not enough memory for this.",
            remedy="Lower batch_size, sequence_length or the model's sizes, then run the same command again.",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return UserError(f"{os.fsdecode(error.filename)}: {error.strerror or error}.")
    return None


def is_full_disk(error: BaseException) -> bool:
    """Whether the error says that a disk, or what a user may write on it, is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True  # HDF5 and TensorFlow keep the system's words, but not its number
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))


def _is_tensorflow_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ == "ResourceExhaustedError"  # known by its name: TensorFlow is not imported here


def _place(error: BaseException) -> str:
    filename = getattr(error, "filename", None)
    return f" to write {os.fsdecode(filename)}" if isinstance(filename, str | bytes | os.PathLike) else ""


def _drop_unwritable_output() -> None:
    """Sends nowhere what standard output would not take, or Python complains when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
