"""The figures that the issue asks for, one module each; `FIGURES` in __main__ lists them."""
