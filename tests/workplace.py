"""A place to train at, for tests that need no other process."""

from tfplm.experiment import RuntimeConfig
from tfplm.progress import Progress
from trainers.distribute import Workplace, workplace


def alone(**runtime) -> Workplace:
    """This process by itself."""
    with workplace(RuntimeConfig(strategy="one_device", **runtime), Progress.silent()) as place:
        return place
