"""Tables on a narrow screen."""

from __future__ import annotations

from hmsstore.plain.screen import column_blocks


def test_columns_that_do_not_fit_follow_below_the_first() -> None:
    columns = [["name", "a", "b"], ["first second", "12345678", "1"], ["third", "12345678", "2"]]
    assert column_blocks(columns, 80) == [{0: 4, 1: 12, 2: 8}]
    assert column_blocks(columns, 28) == [{0: 4, 1: 10, 2: 8}]
    assert column_blocks(columns, 20) == [{0: 4, 1: 12}, {0: 4, 2: 8}]
