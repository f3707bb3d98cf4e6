"""The paper's tables and ablations: which agents are trained and played for them, each once.

A *table* (`configs/scienceworld/NAME.toml`) has rows; a row is one agent, trained and played with
what differs from the *scale* (`configs/scienceworld/base/SCALE.toml`: data, student, budget,
protocol, seeds). The *matrix* is everything that the rows of all tables need; what two rows share
is done once.
"""
