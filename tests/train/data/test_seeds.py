"""The random streams of a run."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path

import numpy as np

from hmstrain.data.seeds import Stream, generator, sequence

PACKAGE = Path(__file__).parents[3] / "hmstrain"
PINNED = {
    "AUGMENTATION": 1, "PARTNERS": 2, "SHIFTS": 3, "NORMALISATION": 4, "ORDER": 5,
    "HELD_OUT_FOLD": 6, "PATIENTS": 7, "ONE_PER_PATIENT": 8, "NETWORK": 9,
}  # fmt: skip
"""Numbers that runs were trained with: whoever changes one changes every run."""


def test_no_two_streams_share_a_number_and_none_changes_its_own() -> None:
    found = {name: int(stream) for name, stream in Stream.__members__.items()}
    assert PINNED.items() <= found.items()
    assert len(set(found.values())) == len(found)


def test_streams_and_places_draw_differently_and_the_same_again() -> None:
    places = [(stream, *where) for stream in Stream for where in ((), (0,), (1,), (1, 0))]
    drawn = {place: generator(3, *place).integers(2**62) for place in places}
    # Trailing zeros add nothing to a seed, so a place and the same with 0 behind it are one.
    for one, other in combinations(places, 2):
        same = (*one, 0) == other
        assert (drawn[one] == drawn[other]) == same, (one, other)
        assert drawn[one] == generator(3, *one).integers(2**62)


def test_draws_are_those_of_numpy_for_seed_number_and_place() -> None:
    assert generator(3, Stream.ORDER, 7).random() == np.random.default_rng([3, 5, 7]).random()
    expected = np.random.SeedSequence([3, 9, 7, 1]).generate_state(1)
    assert sequence(3, Stream.NETWORK, 7, 1).generate_state(1) == expected


def numbered(tree: ast.AST) -> list[int]:
    """Lines that seed NumPy with a list in which a number stands for a stream."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("default_rng", "SeedSequence")
        and any(isinstance(part, ast.Constant) for arg in node.args for part in ast.walk(arg)
                if isinstance(arg, ast.List | ast.Tuple))
    ]  # fmt: skip


def test_streams_are_named_wherever_they_are_drawn_from() -> None:
    assert numbered(ast.parse("default_rng([seed, 5])\nnp.random.SeedSequence((1, x))")) == [1, 2]
    found = {
        str(path.relative_to(PACKAGE)): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := numbered(ast.parse(path.read_text())))
    }
    assert found == {}
