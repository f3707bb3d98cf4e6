"""Agents: hierarchical, flat and scripted ones, and the grounding of their actions."""
