"""The product's side: its own service life cycle, relay, projection and command path, as they run in production."""
