"""Figures of pages are drawn for dark pages, too: inks and grounds change places, colours stay."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from hmsstore.view.dark import for_dark_page, inverted
from hmsstore.view.page import STYLE, Page


@pytest.fixture
def figure() -> Figure:
    made = Figure(figsize=(4, 3), layout="constrained")
    axes = made.subplots()
    axes.plot([0, 1, 2], [0, 1, 0], color="black", label="black")
    axes.plot([0, 1, 2], [1, 0, 1], color="#0072B2", lw=6, label="blue")
    axes.fill_between([0, 1], [0, 0.2], color="#D55E00")
    axes.set_title("title")
    axes.set_xlabel("seconds", bbox={"facecolor": "white"})
    axes.legend()
    return made


def pixels(picture: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB"), np.int16)


def pictures(html: str) -> list[NDArray[np.int16]]:
    found = re.findall(r"data:image/webp;base64,([\w+/=]+)", html)
    return [pixels(base64.b64decode(one)) for one in found]


def near(image: NDArray[np.int16], colour: tuple[int, int, int]) -> int:
    return int((np.abs(image - np.asarray(colour)).max(axis=2) < 15).sum())


def test_a_page_has_each_figure_light_and_dark(figure: Figure) -> None:
    page = Page("page")
    page.figure(figure, "a caption")
    html = page.to_html()
    assert html.index("(prefers-color-scheme: dark)") < html.index("<img")
    dark, light = pictures(html)
    assert near(light, (255, 255, 255)) > 0.7 * light[..., 0].size
    assert near(dark, (0x14, 0x17, 0x1A)) > 0.7 * dark[..., 0].size
    assert near(dark, (255, 255, 255)) == 0
    assert near(dark, (0xE8, 0xE8, 0xE8)) > 100  # axes, words and the black line
    for blue_or_red in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        count = near(light, blue_or_red)
        assert count > 100
        assert near(dark, blue_or_red) == pytest.approx(count, rel=0.1)


def test_a_figure_is_as_it_was_afterwards(figure: Figure) -> None:
    before = BytesIO()
    figure.savefig(before, format="png")
    with for_dark_page(figure):
        dark = BytesIO()
        figure.savefig(dark, format="png")
    after = BytesIO()
    figure.savefig(after, format="png")
    np.testing.assert_array_equal(pixels(before.getvalue()), pixels(after.getvalue()))
    assert near(pixels(dark.getvalue()), (255, 255, 255)) == 0


def test_black_and_white_change_places_and_colours_stay() -> None:
    assert [to_hex(inverted(one)) for one in ("white", "black")] == ["#14171a", "#e8e8e8"]
    for kept in ("#0072B2", "none", "face", (0.8, 0.1, 0.1, 1.0), np.empty((0, 4))):
        assert inverted(kept) is None
    both = inverted(["white", "#0072B2"])
    assert both is not None
    assert [to_hex(one) for one in both] == ["#14171a", "#0072b2"]
    assert to_hex(inverted((0, 0, 0, 0.5)), keep_alpha=True) == "#e8e8e880"


def test_what_holds_on_a_phone_comes_after_what_holds_anywhere() -> None:
    """Of rules for the same elements the last one counts."""
    anywhere, _, phone = STYLE.partition("@media (max-width")
    for rule in ("th, td {", "td.long {"):
        assert rule in anywhere
        assert rule in phone
