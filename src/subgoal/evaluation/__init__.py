"""Rollouts of agents under a protocol, their metrics, and paired comparisons."""
