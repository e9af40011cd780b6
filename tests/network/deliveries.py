"""Made-up OneRoster deliveries, right ones and broken ones."""

from __future__ import annotations

from pathlib import Path

USERS = (
    *("sourcedId", "status", "dateLastModified", "enabledUser", "username", "userIds", "givenName", "familyName"),
    *("middleName", "identifier", "email", "sms", "phone", "agentSourceIds", "primaryOrgSourcedId"),
    "metadata.authoritySourcedIds",
)
ENROLLMENTS = (
    *("sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId", "userSourcedId", "role"),
    *("primary", "beginDate", "endDate"),
)
GOOD = {
    "orgs.csv": """sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId
o1,active,2026-01-01T00:00:00Z,De Linde,school,linde,d1
o2,,,De Eik,school,,d1
d1,,,Stichting Overal,district,,
z1,,,"Zorg, en meer",local,,
""",
    "users.csv": ",".join(USERS)
    + """
p1,active,,true,,,Noor,Bos,,,,,,"g1,g2,l1",o1,g1
p2,,,,,,Sam,"Bos, van der",,,,,,g1,o2,
g1,,,,,,Ans,Bos,,,ans@example.org,,,,,
g2,,,,,,Bert,Vos,,,,,,,,
t1,,,,,,Juf,Iris,,,iris@example.org,,,,o1,
i1,,,,,,Ina,Berg,,,,,,,o1,
l1,,,,,,Lot,Praat,,,,,,,z1,
""",
    "roles.csv": """sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId
r1,,,p1,primary,student,,,o1
r2,,,p2,primary,student,,,o2
r3,,,g1,primary,guardian,,,o1
r4,,,g1,secondary,parent,,,o2
r5,,,g2,primary,relative,,,o1
r6,,,t1,primary,teacher,,,o1
r7,,,i1,primary,ext:internal_coordinator,,,o1
r8,,,l1,primary,ext:therapist,,,o1
""",
    "enrollments.csv": ",".join(ENROLLMENTS)
    + """
e1,,,c1,o1,p1,student,,2026-08-01,
e2,,,c1,o1,t1,teacher,true,2026-08-01,2027-08-01
e3,,,c1,o1,i1,teacher,false,,
""",
    "demographics.csv": """sourcedId,status,dateLastModified,birthDate,sex
p1,,,2016-05-05,female
""",
}


def manifest(*there: str, **modes: str) -> str:
    """Returns a manifest that says of each file how it is delivered: bulk where nothing else is said."""
    lines = [f"file.{name.removesuffix('.csv')}" for name in GOOD]
    said = {line: modes.get(line[5:], "bulk" if line[5:] in there else "absent") for line in lines}
    rows = [("manifest.version", "1.0"), ("oneroster.version", "1.2"), *said.items(), ("source.systemName", "made up")]
    return "propertyName,value\n" + "".join(f"{name},{value}\n" for name, value in rows)


def deliver(folder: Path, **files: str | bytes | None) -> Path:
    """Writes the good delivery with these files (by name without .csv) in place of its own; None leaves one out."""
    folder.mkdir(exist_ok=True)
    names = [name.removesuffix(".csv") for name in GOOD]
    there = [name for name in names if files.get(name, "") is not None]
    said = files.get("manifest", manifest(*there))
    if said is not None:
        (folder / "manifest.csv").write_bytes(said.encode() if isinstance(said, str) else said)
    for name, text in GOOD.items():
        content = files.get(name.removesuffix(".csv"), text)
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def add(name: str, *lines: str) -> str:
    """Returns the good file with these lines behind it."""
    return GOOD[f"{name}.csv"] + "".join(f"{line}\n" for line in lines)
