"""Scripts that the Makefile runs. Nothing of them is installed with the package."""
