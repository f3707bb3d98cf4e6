"""Paths through worlds: their records, how they are collected and stored."""
