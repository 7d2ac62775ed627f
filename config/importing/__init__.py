"""What people already have, as a fleet: Ansible inventories and OpenSSH client configurations."""
