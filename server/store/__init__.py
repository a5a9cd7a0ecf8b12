"""Where events are kept, and the current state that follows from them.

Rule: an adapter knows storage, never a rule of the domain; `contract.py` is all that others see.
"""
