"""Which windows are drawn."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from hmsprep.errors import ParameterError
from hmsprep.planning.choices import Montage
from hmsprep.sealed.drawing import choose_rows, show
from hmsstore import CLASSES, Store
from hmsstore.view import MONTAGES


def test_the_command_lines_words_are_the_formats() -> None:
    assert get_args(Montage) == tuple(MONTAGES)
    assert f"montage : {{{', '.join(map(repr, MONTAGES))}}}" in str(show.__doc__)


def test_rows_are_taken_as_they_are(store: Store) -> None:
    assert choose_rows(store, row=[3, 1]) == [3, 1]
    assert choose_rows(store, row=np.array([3, 1])) == [3, 1]
    assert show(store, row=np.int64(3)).rows == (3,)


def test_windows_of_an_eeg_are_spread_over_its_length(store: Store) -> None:
    ids, counts = np.unique(store.windows["eeg_id"], return_counts=True)
    eeg, many = int(ids[counts.argmax()]), int(counts.max())
    found = choose_rows(store, eeg=eeg, count=many + 5)
    assert (store.windows["eeg_id"][found] == eeg).all()
    assert len(found) == many
    offsets = store.windows["eeg_offset_s"][found]
    assert (np.diff(offsets) > 0).all()
    (middle,) = choose_rows(store, eeg=eeg)
    assert middle == found[many // 2]


def test_windows_of_a_class_are_drawn_from_the_seed(store: Store) -> None:
    word = CLASSES[int(np.bincount(store.windows["expert_consensus"]).argmax())]
    found = choose_rows(store, consensus=word, count=4)
    assert (store.windows["expert_consensus"][found] == CLASSES.index(word)).all()
    assert len(set(found)) == 4
    assert choose_rows(store, consensus=word, count=4) == found
    of_class = np.flatnonzero(store.windows["expert_consensus"] == CLASSES.index(word))
    eegs = len(np.unique(store.windows["eeg_id"][of_class]))
    everyone = choose_rows(store, consensus=word, count=min(60, len(of_class)))
    assert len(set(store.windows["eeg_id"][everyone[:eegs]].tolist())) == min(eegs, len(everyone))
    assert choose_rows(store, consensus=word, count=4, seed=1) != found


def test_without_a_wish_there_is_one_of_each_class(store: Store) -> None:
    found = store.windows["expert_consensus"][choose_rows(store)]
    assert found.tolist() == np.unique(store.windows["expert_consensus"]).tolist()
    assert len(choose_rows(store, count=7)) == 7


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"eeg": 99}, "has no EEG 99"),
        ({"row": [1], "eeg": 5}, "use only one of them"),
        ({"row": [1], "count": 2}, "--count has no meaning"),
        ({"row": [10**23]}, "expected 0 to"),
        ({"row": [1.5]}, "--row: expected a whole number, 0 or more, got 1.5"),
        ({"count": 0}, "--count: expected a whole number, 1 or more, got 0"),
        ({"count": 61}, "61 windows are too many"),
        ({"consensus": "heart"}, "expected one of seizure, lpd, .*, got heart"),
    ],
)
def test_what_cannot_be_chosen_is_refused(store: Store, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        choose_rows(store, **wish)
