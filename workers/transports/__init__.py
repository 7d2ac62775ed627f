"""Ways to run a command on a host: SSH now, WinRM with its own issue."""
