"""A folder's name with characters that SQL, URLs, YAML or a shell give a meaning of their own."""

ODD_NAME = "a b'c\"d#e%20f"
