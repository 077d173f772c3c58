"""`python -m qrealm.faces.qdocker`."""

from qrealm.faces.qdocker import main

main()
