"""The contract of Samenkracht: what every service tells and may be asked, and the check that it only ever grows.

`current/` is what the code says (`python -m deploy.contract write`), `published/` what others build upon: the shape of
the last published version, without its words. `python -m deploy.contract check` compares all three.
"""
