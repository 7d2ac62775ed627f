"""The WinRM protocol lab's server: WS-Management over HTTP and HTTPS, as Windows Remote Shell speaks it."""
