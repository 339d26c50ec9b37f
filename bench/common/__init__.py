"""Small helpers without a room of their own: names, errors, and the style of figures."""
