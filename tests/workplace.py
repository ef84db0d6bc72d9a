"""A place to train at, for tests that need no other process."""

from tfplm.progress import Progress
from tfplm.training_configuration import RuntimeConfig
from trainers.distribute import Workplace, workplace


def alone(**runtime) -> Workplace:
    """This process by itself."""
    with workplace(RuntimeConfig(strategy="one_device", **runtime), Progress.silent()) as place:
        return place
