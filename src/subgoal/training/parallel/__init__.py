"""Trainings in processes of their own: students side by side, or one on several devices."""
