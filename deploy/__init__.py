"""Everything that runs beside the program: the stack of docker-compose.yml, the gateway, dashboards and rules."""
