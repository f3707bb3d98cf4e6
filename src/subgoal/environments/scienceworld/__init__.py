"""ScienceWorld: its adapter, and everything that is so in this world alone."""
