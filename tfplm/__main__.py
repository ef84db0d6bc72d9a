"""``python -m tfplm`` is the command ``tfplm``."""

from tfplm.cli import main

if __name__ == "__main__":
    main()
