"""A stand-in of a Windows host: a folder for drive C:, processes, services, IIS, and its shells.

It is no Windows. What it doesn't know it refuses loudly, and says that it is the WinRM protocol lab.
"""
