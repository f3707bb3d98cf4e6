"""ALFWorld (Shridhar et al., 2021)."""
