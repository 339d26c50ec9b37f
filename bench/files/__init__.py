"""Files: how to read what somebody else has put there, how to write them whole, and where the user's own lie."""
