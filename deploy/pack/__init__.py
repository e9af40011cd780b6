"""The auditor's pack: a school's log in one folder or zip, which anyone can verify offline."""
