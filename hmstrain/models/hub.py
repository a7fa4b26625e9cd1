"""The hub of pretrained weights -> read from its cache alone where it cannot be reached.

The hub's client tries again for a minute before it looks into its cache. So it is asked once first,
briefly; if it does not answer, only the cache counts.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from huggingface_hub import constants

ANSWERS_WITHIN_S = 5.0


@contextmanager
def reachable_or_cached() -> Iterator[None]:
    """Within it, the hub's client reads its cache alone if the hub does not answer soon."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers() -> bool:
    """Whether something is there, by the proxies that are set; what it says is for the client."""
    request = Request(constants.ENDPOINT, method="HEAD")  # noqa: S310
    try:
        urlopen(request, timeout=ANSWERS_WITHIN_S).close()  # noqa: S310
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except OSError:
        return False
    return True
