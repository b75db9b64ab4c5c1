"""What a library's matrix product reaches: float32, 2048 x 2048, all cores; GFLOP/s, median of 20.

python bench/gemm.py torch     # or numpy, or tensorflow
"""

import os
import statistics
import sys
import time

import numpy as np

N, TIMES, UNCOUNTED = 2048, 20, 3


def product(library):
    """A function that multiplies two matrices."""
    a, b = np.random.default_rng(1).random((2, N, N), np.float32)
    if library == "torch":
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        a, b = torch.from_numpy(a), torch.from_numpy(b)
    elif library == "tensorflow":
        import tensorflow as tf

        a, b = tf.constant(a), tf.constant(b)
        return lambda: tf.matmul(a, b).numpy()
    return lambda: a @ b


def median_speed(call, times=TIMES):
    """Of `times` products after a few that warm up, in GFLOP/s."""
    speeds = []
    for _ in range(UNCOUNTED + times):
        began = time.perf_counter()
        call()
        speeds.append(2 * N**3 / (time.perf_counter() - began) / 1e9)
    return statistics.median(speeds[UNCOUNTED:])


if __name__ == "__main__":
    print(median_speed(product(sys.argv[1])))
