"""Names that nobody has: made from syllables, each with letters in it that no word of ours holds."""

from __future__ import annotations

from random import Random

MARK = "ijw"
"""Every made-up name holds these letters, so that a name that leaked anywhere is found by one look for them."""
MAIL_DOMAIN = "example.org"
PHONE_PREFIX = "+3160009"

ONSETS = "B D F G H J K L M N P R S T V W Br Dr Fl Gr Kl Kr Pr Sl St Tr Vl Vr".split()  # noqa: SIM905  syllables read better in a line
GIVEN_ENDS = "a e an en in on ar er is o ka ke na ne ra ro ta te lo li us ine elle anne".split()  # noqa: SIM905
FAMILY_ENDS = (  # noqa: SIM905
    "aard olde ering ema inga stra haar oord ersma enbeek erdam ink stede horst veld laar kamp enburg egem ende "
    "ensen ers okker ijk elaar eloo enhout ergen"
).split()
PREFIXES = ("", "", "", "", "van ", "van der ", "ten ", "de ")


class Names:
    """Hands out names, addresses and numbers; a family name comes once, unless a family shares it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._families: set[str] = set()
        self._count = 0

    def given(self) -> str:
        """Returns a given name; two people may have the same."""
        return self._random.choice(ONSETS) + MARK + self._random.choice(GIVEN_ENDS)

    def family(self) -> str:
        """Returns a family name that nobody else got."""
        while True:
            name = self._random.choice(PREFIXES) + self._random.choice(ONSETS) + MARK + self._random.choice(FAMILY_ENDS)
            if name in self._families and len(self._families) > 3_000:
                name += self._random.choice(FAMILY_ENDS)
            if name not in self._families:
                self._families.add(name)
                return name

    def contact(self, given: str, family: str) -> tuple[str, str]:
        """Returns an e-mail address (a domain that never delivers, RFC 2606) and a phone number, for one person."""
        self._count += 1
        local = f"{given}.{family}".lower().replace(" ", "-")
        return f"{local}.{self._count}@{MAIL_DOMAIN}", f"{PHONE_PREFIX}{self._count:05d}"
