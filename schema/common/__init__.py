"""What all areas of the schema use: scalars, errors, pagination, global ids."""
