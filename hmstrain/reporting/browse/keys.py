"""Keys and the address of a browser <-> texts that the page is told, as scripts that run in it."""

KEYS = """
let pointed = false  // the last move of the focus was by the pointer, not by Tab
document.addEventListener("pointerdown", () => { pointed = true }, true)
document.addEventListener("keydown", (event) => {
  const at = event.composedPath()[0]
  if (event.key === "Tab") pointed = false
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const known = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "e", "u", "v", ..."0123456789"]
  if (!known.includes(event.key)) return
  if (at.tagName === "SELECT" && pointed && event.key.length === 1) at.blur()
  else if (["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName)) return
  event.preventDefault()
  if (event.repeat && !event.key.startsWith("Arrow")) return
  key.value = event.key + " " + Date.now()
})
const leave = () => {
  const wanted = location.hash
  if (wanted.startsWith("#row=") && wanted !== "#" + here.text)
    key.value = wanted.replaceAll(" ", "") + " " + Date.now()
}
window.addEventListener("hashchange", leave)
leave()
"""
KEEP = 'if (here.text) history.replaceState(null, "", "#" + here.text)'
"""Keeps the address of the window that is shown."""
