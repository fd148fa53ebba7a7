"""`python -m icc_store` is `icc-store`."""

from icc_store.cli.main import main

if __name__ == "__main__":
    main()
