"""Drawing windows as a doctor reads them, for all packages. Needs matplotlib, once it draws.

>>> from hmsstore.view import draw_window
>>> draw_window(store, 12).savefig("window.png")  # doctest: +SKIP

::

    colours.py      colours that colour-blind people can tell apart, and that print in grey
    montage.py      referential channels -> the traces of a montage
    eeg.py          referential EEG of a window -> stacked traces as clinicians read them
    spectrogram.py  log power of a window -> the four regions' spectrograms on one colour scale
    votes.py        votes of a window, and what a model says of it -> bars side by side
    importance.py   what a model's answer rests on, drawn over a window
    window.py       windows -> figures as a doctor reads them
    saving.py       figures -> picture files and PDFs, whole or not at all
    dark.py         a figure -> the same figure for a dark page
    page.py         texts, tables and figures -> one HTML file that needs nothing else
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
