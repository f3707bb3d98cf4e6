"""Logs of agents: read from files of many formats, and made into trajectories to learn from."""
