"""The JSON API: one noun per file. Each file lists its operations; routes, checks and OpenAPI all come from those lists."""
