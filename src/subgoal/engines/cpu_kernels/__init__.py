"""Compiled kernels for Llama-type students on a CPU; optional."""
