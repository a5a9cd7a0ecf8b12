"""What every test runs under; fixtures stand beside the tests that share them."""

import os

# A test configures what it starts; what the shell happens to hold must not.
for _name in [name for name in os.environ if name.startswith("ACTIONS_")]:
    del os.environ[_name]
