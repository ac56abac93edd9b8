"""The browser worker of Persistent Session: owns browsers, profiles and snapshots."""
