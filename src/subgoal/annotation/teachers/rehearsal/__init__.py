"""A teacher on this machine, with the faults of real ones: rehearse a costly run on it."""
