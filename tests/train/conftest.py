"""Test workers share the processors: one thread of arithmetic for each."""

import torch

torch.set_num_threads(1)
