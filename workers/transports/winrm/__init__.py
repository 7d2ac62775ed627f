"""WinRM: sessions on Windows hosts, spoken with pywinrm over connections of our own."""
