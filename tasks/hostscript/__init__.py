"""The host script: how a deployment is carried out on a Linux host, and how a worker drives and follows it.

All of it is pure: text and bytes in, text, bytes and values out.
docs/reference/host-script.md is the protocol.
"""
