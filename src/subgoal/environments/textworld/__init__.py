"""TextWorld (Côté et al., 2018)."""
