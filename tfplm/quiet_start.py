"""Starting TensorFlow without the lines that it writes."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_start(debug: bool) -> Iterator[None]:
    """Imports TensorFlow, and whatever the block imports, without the lines that it writes on every start.

    Its C++ side writes them to the file descriptor before any log level counts: they are kept in a file meanwhile,
    and shown if the import fails.
    """
    if debug:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters comes as an exception
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, and complains where there are none
            yield
        except Exception:
            written.seek(0)
            os.write(standard_error, written.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)
