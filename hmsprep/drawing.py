"""Old place of `hmsprep.sealed.drawing`, for one more release."""

from hmsprep.sealed.drawing import Drawn, show

__all__ = ["Drawn", "show"]
