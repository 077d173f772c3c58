"""`python -m qrealm`: the command line, where its script is not on the path."""

from qrealm.faces.cli import main

if __name__ == "__main__":
    main()
