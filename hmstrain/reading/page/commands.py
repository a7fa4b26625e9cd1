"""Keys, buttons, the address and the colours of a browser <-> texts that a page is told.

Everything that is no value of a widget reaches the page through one hidden text: the command, a
space, and a number that makes each text differ from the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, nan
from urllib.parse import parse_qsl, urlencode

from hmstrain.errors import ConfigError

LISTEN = """
const send = (command) => { told.value = command + " " + Date.now() + Math.random() }
const typing = ["INPUT", "SELECT", "TEXTAREA"]
let pointed = false  // the last move of the focus was by the pointer, not by Tab
document.addEventListener("pointerdown", () => { pointed = true }, true)
const held = /Arrow|Page|^[-+=]$/
let opener = null  // the key that led to a field, until it is let go: its repeats are no text
document.addEventListener("keyup", (event) => { if (event.code === opener) opener = null })
document.addEventListener("keydown", (event) => {
  const at = event.composedPath()[0]
  if (event.key === "Tab") pointed = false
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.repeat && event.code === opener) {
    event.preventDefault()
    return
  }
  const focus = {"i": "initials", "g": "time", "t": "text"}[event.key]
  const ours = event.key.length === 1 && (focus || keys.includes(event.key))
  if (at.tagName === "SELECT" && pointed && ours) at.blur()
  else if (typing.includes(at.tagName)) {
    if (event.key === "Escape") at.blur()
    return
  }
  if (["SUMMARY", "BUTTON"].includes(at.tagName) && [" ", "Enter"].includes(event.key)) {
    if (event.repeat && event.key === "Enter") event.preventDefault()
    return
  }
  if (focus) {
    event.preventDefault()
    opener = event.code
    window.hmsFocus(focus)
    return
  }
  const name = (event.shiftKey && event.key.length > 1 ? "Shift+" : "") + event.key
  if (!keys.includes(name)) return
  event.preventDefault()
  if (event.repeat && !held.test(name)) return
  send("key:" + name)
})
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-form]")
  if (!form) return
  event.preventDefault()
  send(form.dataset.form + ":" + new URLSearchParams(new FormData(form)))
})
document.addEventListener("click", (event) => {
  const pressed = event.composedPath().find((one) => one.dataset && one.dataset.command)
  if (pressed && !pressed.disabled) send(pressed.dataset.command)
})
window.hmsFocus = (name) => {
  const host = document.querySelector(`[data-field="${name}"]`)
  const inner = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.tagName === "INPUT" || one.tagName === "TEXTAREA") return one
      const found = one.shadowRoot && inner(one.shadowRoot)
      if (found) return found
    }
    return null
  }
  const input = host && inner(host)
  if (input) { input.closest("details")?.setAttribute("open", ""); input.focus(); input.select() }
}
const leave = () => { if (location.hash.length > 1) send("at:" + location.hash.slice(1)) }
window.addEventListener("hashchange", () => { if (location.hash !== "#" + here.text) leave() })
const ratio = () => send("ratio:" + window.devicePixelRatio)
window.addEventListener("resize", () => {
  if (window.devicePixelRatio !== window.hmsRatio) {
    window.hmsRatio = window.devicePixelRatio
    ratio()
  }
})
window.hmsRatio = window.devicePixelRatio
if (window.devicePixelRatio !== 1) ratio()
leave()
"""
"""Runs in the browser once the page is there.

Keys that are held down turn pages and scale traces; any other acts once.
"""
KEEP = 'if (here.text) history.replaceState(null, "", "#" + here.text)'
"""Keeps the address of what is shown, so that it can be sent or opened again."""
COPY = """
if (copied.text) navigator.clipboard.writeText(copied.text).then(
  () => { const said = document.getElementById("copied"); if (said) said.textContent = "Copied." })
"""


def command_of(told: str) -> tuple[str, str]:
    """Take a text apart: 'key:ArrowLeft 17' -> ('key', 'ArrowLeft')."""
    kind, _, value = told.rpartition(" ")[0].partition(":")
    return kind, value


def write_here(values: Mapping[str, str]) -> str:
    """Write what is shown as the part of an address behind '#'."""
    return urlencode(values, safe=":")


def read_here(text: str) -> dict[str, str]:
    """Read it again; a part that is none is left out."""
    return dict(parse_qsl(text, max_num_fields=20)) if len(text) < 1_000 else {}


def index_of(text: str, count: int, what: str) -> int:
    """Read the place of one of so many things; raises ConfigError."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) >= count:
        raise ConfigError(f"Expected one of {count} {what}, from 0 on, got {text[:20]!r}.")
    return int(text)


def number_of(text: str) -> float:
    """Read a number; raises ConfigError."""
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not isfinite(found):
        raise ConfigError(f"Expected a number, got {text[:20]!r}.")
    return found


def numbers(offered: Mapping[str, float] | tuple[float, ...], unit: str) -> list[tuple[str, str]]:
    """Offer numbers in a list to choose from; 0 is off."""
    return [(f"{one:g}", f"{one:g} {unit}" if one else "off") for one in offered]


def cycled(offered: list[str], now: str) -> str:
    """The one that follows in a list, the first after the last."""
    return offered[(offered.index(now) + 1) % len(offered)] if now in offered else offered[0]


Said = Callable[[str], object]
"""Shows a sentence on the page."""
