"""Ten operations for pyinfra."""

from pyinfra.operations import server

for number in range(10):
    server.shell(name=f"step {number}", commands=[f"echo step {number}"])
