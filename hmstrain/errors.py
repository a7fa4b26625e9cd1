"""The errors a user can cause; each is one message: what, where, expected, got, what to do.

::

    TrainError
      ConfigError      an option or a configuration file
      ModelError       a model's name, its network or its weights
      DataError        a store that does not fit the run, or rows that are not there
      RunError         a run folder: missing, of another configuration, unfinished
      DivergedError    the loss or an answer became NaN or infinite
"""

from __future__ import annotations

RESEARCH_ONLY = "Research software: not a medical device, and not to be used for diagnosis."
"""To be said wherever predictions are shown."""


class TrainError(Exception):
    """Something the user can put right."""


class ConfigError(TrainError):
    """An option or a configuration file makes no sense."""


class ModelError(TrainError):
    """A model does not exist, does not fit its inputs, or its weights do not fit it."""


class DataError(TrainError):
    """A store does not fit the run, or holds no rows for what is asked."""


class RunError(TrainError):
    """A run folder is missing, of another configuration, or unfinished."""


class DivergedError(TrainError):
    """The loss or an answer became NaN or infinite."""
