"""Tokenizers of students: with marks, with words alone, or through a chat template."""
