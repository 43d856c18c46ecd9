"""FlexNet Operations, Data Access API: paged reports out of Revenera's data warehouse."""
