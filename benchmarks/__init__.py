"""What a call through the gateway costs, beside calls that do less. `make bench` runs it; nothing here ships."""
