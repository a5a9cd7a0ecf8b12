"""The store on SQLite, embedded: one process, one file, no set-up."""
