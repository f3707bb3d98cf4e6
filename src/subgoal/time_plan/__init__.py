"""Into how many minutes a run must fit: what is measured, chosen and left out for that."""
