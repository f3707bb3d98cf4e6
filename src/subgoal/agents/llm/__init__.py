"""Agents that ask a language model behind an endpoint while they play."""
