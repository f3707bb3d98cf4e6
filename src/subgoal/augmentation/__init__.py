"""Augmentation: annotated paths are rewritten in the world, before students learn from them."""
