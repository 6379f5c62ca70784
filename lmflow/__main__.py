from lmflow.cli import main

main()
