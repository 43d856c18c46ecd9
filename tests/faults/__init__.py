"""Every fault of every stand-in against every operator and sensor that asks its vendor for something."""
