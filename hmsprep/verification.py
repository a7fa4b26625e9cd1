"""Old place of `hmsprep.sealed.verification`, for one more release."""

from hmsprep.sealed.verification import verify

__all__ = ["verify"]
