"""Old place of `hmsprep.sealed.summary`, for one more release."""

from hmsprep.sealed.summary import StoreSummary, info

__all__ = ["StoreSummary", "info"]
