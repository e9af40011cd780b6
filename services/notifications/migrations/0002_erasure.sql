-- Notices about a child, and those of a member who is known to nobody any more.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_about ON notice (school, about);
INSERT INTO erasable VALUES
    ('child', 'delivery', 10,
     't.notice IN (SELECT n.id FROM notice n WHERE n.school = $1 AND n.about = $2)'),
    ('child', 'notice', 11, 't.about = $2'),
    ('person', 'delivery', 10, 't.notice IN (SELECT n.id FROM notice n WHERE n.school = $1 AND n.member = $2)'),
    ('person', 'notice', 11, 't.member = $2');
