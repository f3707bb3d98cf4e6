"""Distil a large language model's planning into small language agents."""
