"""Diagnosis: why a net does not learn, what makes it learn, and the answer that says so.

`evidence` records what nets do, `causes` name it, `changes` lists what can be done otherwise, `race` trains setups
within a budget, `search` looks for what helps, `why` puts them together, and `answer` tells it (`page` and `pictures`
draw it).
"""
