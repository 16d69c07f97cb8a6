"""Tables of results, one row per net. Nothing here imports jax.

`schema` says what the columns mean, `parquet` reads and writes them, `store` keeps a study's folder, `loading` brings
tables back, `statistics` and `objectives` compute from them.
"""
