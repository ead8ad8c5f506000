"""Faster ways to z: an encoder that needs one pass, and searches for many images and restarts at once."""
