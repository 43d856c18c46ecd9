"""What the flows use that is not Airflow's: configuration, the lake, the stand-in vendors, the mission on one machine."""
