"""The GraphiQL page: `source` has its JavaScript, `static` the bundle that is built from it and served."""
