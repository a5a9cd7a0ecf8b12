"""Brings the actions and flows of a ZITADEL here, with their ids, states, order and dates."""
