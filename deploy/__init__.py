"""What stands around the application where it is served: nginx, Prometheus, Grafana, and the container's health."""
