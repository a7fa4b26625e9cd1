"""A sealed store -> a folder that Kaggle's own client uploads as a dataset, once for all sessions.

The client (`kaggle datasets create -p FOLDER --dir-mode tar`) reads dataset-metadata.json; Kaggle
unpacks the archives that it makes of folders, and maps what it unpacked into every notebook.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from hmsprep.errors import ParameterError
from hmsstore import Store, StoreError
from hmsstore.atomic import read_whole, whole_folder
from hmsstore.manifest import MANIFEST_NAME

METADATA = "dataset-metadata.json"
USER = re.compile(r"[A-Za-z0-9_-]+")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TITLE_LENGTH, SLUG_LENGTH = (6, 50), (3, 50)
"""What Kaggle accepts."""


@dataclass(frozen=True, slots=True)
class Published:
    """A folder that is ready to be uploaded."""

    out: Path
    """The folder."""
    nbytes: int
    """Bytes to upload."""
    upload: str
    """Command that uploads it, as a private dataset."""


def publish(
    store: str | Path,
    out: str | Path,
    *,
    name: str,
    title: str = "HMS EEG store",
    licence: str = "other",
) -> Published:
    """Prepare a store for upload as a Kaggle dataset.

    What the store's manifest names is in it, and nothing else. Files are hard links where the file
    system allows it, so nothing is copied.

    Parameters
    ----------
    store : str or Path
        A sealed store; its seal and the sizes of its files are checked.
    out : str or Path
        Folder to make: the metadata beside the store's folder.
    name : str
        'user/slug' on Kaggle (the command's --id).
    title : str
        6 to 50 characters.
    licence : str
        Kaggle's name of a licence; 'other' for derivatives of the competition's data, which its
        rules cover.

    Returns
    -------
    Published

    Raises
    ------
    StoreError
        The store cannot be opened.
    ParameterError
        Kaggle would refuse the name or the title, or the folder exists already.

    Examples
    --------
    >>> hmsprep.publish("hms.zarr", "upload", name="me/hms-eeg-store").upload
    'kaggle datasets create -p upload --dir-mode tar'
    """
    store, out = Path(store), Path(out)
    user, _, slug = name.partition("/")
    short, long = SLUG_LENGTH
    if not USER.fullmatch(user) or not SLUG.fullmatch(slug) or not short <= len(slug) <= long:
        raise ParameterError(
            f"--id {name}: expected USER/NAME, where USER is a name without spaces, as Kaggle's "
            f"addresses have it, and NAME has {short} to {long} lower-case letters, digits and "
            "single hyphens."
        )
    if not TITLE_LENGTH[0] <= len(title) <= TITLE_LENGTH[1]:
        raise ParameterError(
            f"--title {title!r}: expected {TITLE_LENGTH[0]} to {TITLE_LENGTH[1]} characters, got "
            f"{len(title)}."
        )
    if out.exists():
        raise ParameterError(f"{out} exists already. Name a folder that does not exist.")
    Store.open(store)
    if store.resolve() in out.resolve().parents:
        raise ParameterError(f"{out} cannot be made: it would lie inside the store.")
    if not out.resolve().parent.is_dir():
        raise ParameterError(f"{out} cannot be made: there is no folder {out.parent}.")
    with whole_folder(out) as unfinished:
        copy = unfinished / store.resolve().name
        opened = read_whole(store, lambda: _copy(store, copy), (StoreError, FileNotFoundError))
        about = {
            "id": name,
            "title": title,
            "subtitle": f"{len(opened):,} windows of EEG and spectrogram, one sealed Zarr store",
            "description": _description(opened, name),
            "licenses": [{"name": licence}],
            "keywords": ["health", "signal processing"],
        }
        (unfinished / METADATA).write_text(json.dumps(about, indent=1) + "\n")
    nbytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    upload = shlex.join(["kaggle", "datasets", "create", "-p", str(out), "--dir-mode", "tar"])
    return Published(out, nbytes, upload)


def _copy(store: Path, copy: Path) -> Store:
    """Link or copy what the manifest names, in place of what an earlier attempt has copied."""
    shutil.rmtree(copy, ignore_errors=True)
    opened = Store.open(store)
    for file in (MANIFEST_NAME, *opened.manifest.files):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        _link((store / file).resolve(), copy / file)
    return opened


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _description(store: Store, name: str) -> str:
    counts, inside = store.info["counts"], store.path.resolve().name
    return (
        f"A store of hms-eeg: {counts['windows']:,} windows of {counts['patients']:,} patients, "
        f"identity `{store.identity}`. Every session maps it directly:\n\n"
        "```python\nimport hmsstore\n"
        f'store = hmsstore.Store.open("/kaggle/input/datasets/{name}/{inside}")\n```\n\n'
        f"Some sessions have it at `/kaggle/input/{name.partition('/')[2]}/{inside}`.\n"
    )
