"""Figures and colours of a page -> dark where the reader's system asks for a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.document import Document
from bokeh.models import CustomJS

FIELDS = """
.bk-input { background-color: var(--ground, #fff); color: var(--ink, #222);
            border-color: var(--faint, #ccc); }
select.bk-input { appearance: auto !important; background-image: none !important; }
.bk-btn-default { background-color: var(--soft, #fff); color: var(--ink, #222);
                  border-color: var(--faint, #ccc); }
.bk-input::placeholder { color: var(--ink, #222); opacity: .6; }
"""
"""Of widgets, which know of a page's colours only what its variables say."""
PAINT = """
const wanted = window.matchMedia("(prefers-color-scheme: dark)")
const set = (model, name, value) => { if (name in model.properties) model[name] = value }
const paint = () => {
  const dark = wanted.matches
  if (!dark && !window.hmsPainted) return
  window.hmsPainted = true
  const ground = dark ? "#14171a" : "#ffffff"
  const ink = dark ? "#e8e8e8" : "#222222"
  const faint = dark ? "#3a4047" : "#dddddd"
  for (const one of figures) {
    set(one, "background_fill_color", ground)
    set(one, "border_fill_color", ground)
    set(one, "outline_line_color", faint)
    if (one.title) set(one.title, "text_color", ink)
    for (const part of [...one.left, ...one.right, ...one.above, ...one.below, ...one.center]) {
      for (const name of ["axis_label_text_color", "major_label_text_color", "axis_line_color",
                          "major_tick_line_color", "minor_tick_line_color", "label_text_color",
                          "title_text_color"])
        set(part, name, ink)
      if ("background_fill_color" in part.properties && !("fill_color" in part.properties))
        set(part, "background_fill_color", ground)
      set(part, "grid_line_color", faint)
    }
  }
  for (const one of inks) {
    set(one, "text_color", ink)
    set(one, "line_color", ink)
    set(one, "background_fill_color", ground)
  }
  for (const [model, light, night] of palettes) model.palette = dark ? night : light
}
wanted.addEventListener("change", paint)
paint()
document.querySelector("main")?.classList.remove("waiting")
"""
"""Runs in the browser. Nothing is changed on a light page, which so loads no later."""


def paint_when_dark(
    document: Document,
    figures: Sequence[Any],
    inks: Sequence[Any] = (),
    palettes: Mapping[Any, tuple[Sequence[str], Sequence[str]]] | None = None,
) -> None:
    """Let a document's figures follow `prefers-color-scheme`, now and when it changes.

    Parameters
    ----------
    document : Document
        The page's; its `main` has the class `waiting` until it is painted.
    figures : sequence of figures
        Grounds, axes, grids and legends of these.
    inks : sequence of glyphs
        Whose texts and lines are drawn in the colour of writing.
    palettes : mapping
        Colour mapper -> its palettes on light and on dark ground.
    """
    changed = [
        [mapper, list(light), list(night)] for mapper, (light, night) in (palettes or {}).items()
    ]
    arguments = {"figures": list(figures), "inks": list(inks), "palettes": changed}
    document.js_on_event("document_ready", CustomJS(args=arguments, code=PAINT))
