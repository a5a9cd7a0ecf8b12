"""Serves HTTP/1.1 through aiohttp: connections, bodies, headers, answers."""
