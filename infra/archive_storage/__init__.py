"""Where archived files are kept."""
