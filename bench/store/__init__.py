"""Records and everything that is read from them. Imports no torch; `table` alone imports pandas."""
