"""Small helpers that every room may use: names, errors, and the style of figures."""
