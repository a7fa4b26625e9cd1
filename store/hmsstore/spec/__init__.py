"""What a data set consists of: its classes, signals, electrodes and judged seconds, as one value.

::

    parts.py          classes and signals, and whatever contradicts itself in a description
    description.py    `Spec`, its JSON, and `HMS`
"""

from hmsstore.spec.description import HMS, HMS_FREQUENCIES_HZ, Spec, frequency_name
from hmsstore.spec.parts import PatternClass, Signal

__all__ = ["HMS", "HMS_FREQUENCIES_HZ", "PatternClass", "Signal", "Spec", "frequency_name"]
