"""Who may do what on the bus.

rights         the table: what each login needs, and nothing else
nats_conf      the configuration of the NATS server that follows from it
files          the secrets that the logins log in with, and where they are

``python -m voxbus.common.trust DIRECTORY`` writes both.
"""
