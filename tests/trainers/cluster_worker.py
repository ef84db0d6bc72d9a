"""One worker of a test: meets the others, does what the arguments say, and ends as the command line would."""

import sys
import threading
import time

from tfplm.errors import UserError
from tfplm.failures import report_failure
from tfplm.progress import Progress
from trainers.cluster import Connection, connect, multi_worker_strategy
from trainers.tf_config import read_cluster


def wait(connection: Connection) -> None:
    connection.barrier("work")


def hang(connection: Connection) -> None:
    threading.Event().wait()


def be_slow(connection: Connection) -> None:
    time.sleep(1.5)


def end(connection: Connection) -> None:
    pass


def fail(connection: Connection) -> None:
    time.sleep(0.5)
    raise UserError("the data is bad.", remedy="Mend it.")


def all_reduce(connection: Connection) -> None:
    strategy = multi_worker_strategy(connection)
    import tensorflow as tf

    def reduced():
        value = tf.constant(connection.cluster.index + 1.0)
        return tf.distribute.get_replica_context().all_reduce("sum", value)

    @tf.function
    def step():
        return strategy.run(reduced)

    print("sum", float(step()), flush=True)
    while True:
        step()


def main() -> None:
    work, *figures = sys.argv[1:]
    limits = {name: float(value) for name, value in (figure.split("=") for figure in figures)}
    with connect(read_cluster(), Progress.silent(), **limits) as connection:
        print("met", flush=True)
        globals()[work](connection)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(report_failure(error, debug=False, resumable=True))
