"""What makes the documentation site: called by MkDocs and by `make docs`, never published.

hook.py      the repository's files -> pages, links between files -> links between pages
api.py       public names -> pages of the API
commands.py  Typer applications -> pages of the commands
settings.py  the settings of a run -> a page
check.py     a built site -> an error if it loads anything from another host
"""
