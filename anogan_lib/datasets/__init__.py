"""Data sets, all in one form."""
