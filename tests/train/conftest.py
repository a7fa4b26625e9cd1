"""Test workers share the processors: one thread of arithmetic for each, and for what they start."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import torch

torch.set_num_threads(1)
