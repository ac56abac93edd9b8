"""What the machine's effects do to the browser, the profile and the copies: a module for each of them, one
performer."""
