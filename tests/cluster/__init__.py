"""The crash matrix: every operator, sensor and trigger is met at its named points by what ends processes and stores."""
