"""Drawing windows as a doctor reads them, for all packages. Needs matplotlib, once it draws.

>>> from hmsstore.view import draw_window
>>> draw_window(store, 12).savefig("window.png")  # doctest: +SKIP
"""

from hmsstore.montage import positions
from hmsstore.view.eeg import Display, draw_eeg
from hmsstore.view.importance import Importance
from hmsstore.view.montage import MONTAGES, Montage
from hmsstore.view.spectrogram import draw_spectrograms
from hmsstore.view.votes import draw_votes
from hmsstore.view.window import WindowView, draw, draw_grid, draw_window, load_window

__all__ = [
    "MONTAGES",
    "Display",
    "Importance",
    "Montage",
    "WindowView",
    "draw",
    "draw_eeg",
    "draw_grid",
    "draw_spectrograms",
    "draw_votes",
    "draw_window",
    "load_window",
    "positions",
]
