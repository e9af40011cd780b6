"""The naive baseline, as one would write it on a first day with these libraries, with their defaults where they hold.

An outbox table polled every 100 ms, one publish a row; FastStream's pull subscriber with its batched fetch, one insert
a message; FastStream's RPC with injected headers and ten statements a command. It is spared what the product does:
no walls in the database, no hash chain, no leases, no durable cursor, no logging, a superuser's login.
"""
