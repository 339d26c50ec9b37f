"""The loss atlas, `docs/atlas`: every part and method with what it says, what it costs and how it looks.

Its numbers are measured on the library as it is, so the pages cannot say anything that the code does not do.
"""
