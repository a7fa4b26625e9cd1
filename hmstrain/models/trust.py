"""The model that a file names, and the user's word -> whether its code may be imported.

'package.module:function' runs code of that module. Where the name comes with a file, such as the
configuration of a run that somebody sent, it is imported only if the user has named it too, or has
said that he trusts the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hmstrain.errors import ConfigError, ModelError
from hmstrain.models import BRAINDECODE

Trust = bool | str | Sequence[str]
"""True: import whatever is named; a name or several: import these; False: import nothing."""


def refuse_untrusted(model: str, trust: Trust) -> None:
    """Refuse a network of somebody's own that the user has not vouched for.

    Parameters
    ----------
    model : str
        Name of a model, as a file has it. Built-in ones and those of timm and braindecode pass.
    trust : bool, str or sequence of str
        The user's word.

    Raises
    ------
    ModelError
        The name is 'package.module:function', and the user has not named it.
    """
    if ":" not in model or model.startswith(BRAINDECODE) or trust is True:
        return
    if model in _names(trust):
        return
    module = model.partition(":")[0]
    raise ModelError(
        f"The run's files name {model} as their model, which is code: the module {module} would be "
        f"imported, from the run's own copy, the working folder or wherever it is installed. If "
        f"you trust it, add --model {model} or --trust."
    )


def check_names(models: Iterable[str], trust: Trust) -> None:
    """Refuse a name that was given for nothing: as if it could replace a run's own model.

    Parameters
    ----------
    models : iterable of str
        What the runs at hand name.
    trust : bool, str or sequence of str
        The user's word.

    Raises
    ------
    ConfigError
        A name is not among them.
    """
    known = sorted(set(models))
    for name in _names(trust):
        if name not in known:
            raise ConfigError(
                f"--model {name}: the run does not name this network. Expected "
                f"{', '.join(known)}, or leave --model out."
            )


def _names(trust: Trust) -> Sequence[str]:
    if isinstance(trust, bool):
        return ()
    return (trust,) if isinstance(trust, str) else trust
