"""Studies: a question asked with Optuna for many setups, whose nets are trained, stored, and never trained twice.

`study` defines a study, `files` loads one, `runner` runs it. `search` and `samplers` propose setups, `halving` stops
the worse ones early, `cluster` trains on other machines, `fingerprint` tells studies apart, `signals` ends runs in
order, and `optuna_export` hands a finished study to Optuna's own tools.
"""
