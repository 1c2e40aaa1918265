"""Numba kernels over Arrow buffers. Each has a plain-Python twin in tests/stages/kernels."""
