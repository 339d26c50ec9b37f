"""The loss atlas, `docs/atlas`: the formula, cost and curves of every part and method.

Its numbers are measured on the library itself, so the pages cannot disagree with the code.
"""
