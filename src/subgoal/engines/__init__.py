"""Engines: a language model that generates with its prefix kept, streams batched."""
