"""Child processes of a worker that are asked over pipes: for libraries that hold the interpreter's lock, or crash.

wire       what crosses the pipes
process    one child, seen from the worker
crew       so many of them: one that dies is replaced
restarts   how soon
pipes      the worker, seen from the child
"""
