"""What whoever runs the site looks at: request IDs, logs, health, metrics, errors, and what is done by the clock."""
