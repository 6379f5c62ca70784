"""The embedded sample corpus: real text from installed packages, served in genuine formats by a loopback HTTP server.

For the demo and for tests only. A crawler sees a dump site, two news sites and two social sites; it cannot tell that
they are samples, because only their URLs differ from those of real ones. Start it with `python -m lmflow.samples`.
"""
