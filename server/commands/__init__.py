"""What a command needs to be decided, and the queue that decides and commits batches of them.

Rule: no rule of the domain is here, and no SQL.
"""
