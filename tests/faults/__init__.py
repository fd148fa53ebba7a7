"""Every file call of the program is made its last one, or made to fail: the harness behind `make test-crash`."""
