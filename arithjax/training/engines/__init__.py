"""Engines: other ways than XLA to run the steps of a training."""
