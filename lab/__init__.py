"""Stand-ins to try Longshore against on one machine."""
