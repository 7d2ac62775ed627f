"""The same topology for docker-compose: the files that its containers start from."""
