"""The browser and its page: Chromium, the driver, the scripts in the page, the watchdog. Never imports `profile`."""
