"""Longshore and pywinrm over the lab's stand-in Windows hosts. No Windows has run any of it."""
