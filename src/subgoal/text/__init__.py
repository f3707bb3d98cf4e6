"""The only text format: what students read and write, in training and in play."""
