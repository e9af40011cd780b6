"""How the platform runs: embedded on one machine, compose on one host; keys, databases, NATS tenancy and `samen`."""
