"""How runs, hosts, pools and plans look to people."""
