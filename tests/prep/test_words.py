"""Counts in words."""

from __future__ import annotations

import pytest

from hmsprep.words import clock, plural, size


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (plural(1, "row"), "1 row"),
        (plural(0, "row"), "0 rows"),
        (plural(1200, "EEG"), "1,200 EEGs"),
        (plural(2, "second of EEG", "seconds of EEG"), "2 seconds of EEG"),
        (size(14_400_000_000), "14.4 GB"),
        (size(999), "1.0 kB"),
        (size(2_500_000), "2.5 MB"),
        (clock(93_900), "26:05:00"),
        (clock(-10), "-0:00:10"),
    ],
)
def test_counts_have_the_right_unit_and_number(words: str, text: str) -> None:
    assert words == text
