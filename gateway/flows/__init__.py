"""The flows: one file each, a list of named steps. A flow names no connector and holds no SQL."""
