"""Studies: a question asked of many setups, trained, recorded, and never trained twice."""
