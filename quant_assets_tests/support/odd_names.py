"""A folder's name with characters that have a meaning in SQL, URLs, YAML or a shell."""

ODD_NAME = "a b'c\"d#e%20f"
