"""Everything that is reached over HTTP. The API is in api/; nothing here decides, sends or writes SQL."""
