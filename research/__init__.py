"""What the figures of this repository rest on: tables, benchmarks, the diary; not in the wheel."""
