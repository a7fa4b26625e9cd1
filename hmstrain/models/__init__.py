"""Networks of EEG patterns, and the trunks that they are made of."""

from hmstrain.models.network import count_parameters, make_network

__all__ = ["count_parameters", "make_network"]
