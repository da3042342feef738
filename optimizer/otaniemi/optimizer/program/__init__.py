"""A home as a linear program: columns and rows, what is switched, what excludes what, and the solver."""
