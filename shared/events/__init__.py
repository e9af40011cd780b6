"""The public language: one module a producing service. The only thing services know of each other."""
