"""A zip archive that anybody may have made -> which files are in it, and their bytes.

`zipfile` stops on bad bytes by errors of a dozen kinds, and unpacks whatever a file claims to be.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Self

LARGEST_MEMBER = 256 << 20
"""Bytes that any file may have unpacked."""
LARGEST_RATIO = 100
"""A larger file may be so many times as large as it is packed: text gets a tenth, signals half."""


class ZipError(ValueError):
    """An archive, or a file in it, cannot be read; says why."""


class ZipMembers:
    """The files of a zip archive.

    Parameters
    ----------
    path : Path
        The archive.

    Raises
    ------
    ZipError
        It is none, or not whole.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.zip = zipfile.ZipFile(path)
        except MemoryError:
            raise
        except Exception as error:
            raise ZipError(_reason(error)) from None
        # Some programs for Windows part names by backslashes, against the format.
        self.entries = {one.filename.replace("\\", "/"): one for one in self.zip.infolist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.zip.close()

    def names(self) -> list[str]:
        """Names of the files, without those of folders."""
        return [name for name in self.entries if not name.endswith("/")]

    def size(self, name: str) -> int:
        """Bytes that a file claims to have unpacked."""
        return self.entries[name].file_size

    def checksum(self, name: str) -> int:
        """CRC-32 that a file claims to have."""
        return self.entries[name].CRC

    def read(self, name: str) -> bytes:
        """Content of one file, which is compared with its CRC-32.

        Raises
        ------
        ZipError
            It is encrypted, packed in a way that Python does not unpack, damaged, or claims a size
            that no file of this kind has.
        """
        try:
            entry = self.entries[name]
            if entry.file_size > max(LARGEST_MEMBER, LARGEST_RATIO * entry.compress_size):
                raise ZipError(
                    f"it claims {entry.file_size:,} bytes, packed into {entry.compress_size:,}"
                )
            return self.zip.read(entry)  # no more than it claims
        except (MemoryError, ZipError):
            raise
        except Exception as error:
            raise ZipError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
