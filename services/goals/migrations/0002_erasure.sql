-- What of goals is one child's own. Only where it names the child: a school's own goals stay.
INSERT INTO erasable VALUES
    ('child', 'score', 10, 't.goal IN (SELECT g.id FROM goal g WHERE g.school = $1 AND g.about = $2)'),
    ('child', 'progress', 11, 't.id IN (SELECT g.id FROM goal g WHERE g.school = $1 AND g.about = $2)'),
    ('child', 'goal_step', 12, 't.goal IN (SELECT g.id FROM goal g WHERE g.school = $1 AND g.about = $2)'),
    ('child', 'goal', 13, 't.about = $2');
