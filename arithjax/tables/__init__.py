"""Tables of results: a row a net. Nothing here imports jax."""
