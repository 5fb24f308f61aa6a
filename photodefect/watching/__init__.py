"""Photos that arrive in a folder: noticed, waited for until they are written, given out once."""
