-- What of plans is one child's own: texts and salts, answers, what the child said, what fell due. How a school decides on
-- plans is the school's.
INSERT INTO erasable VALUES
    ('child', 'disagreement_remedy', 1, 't.about = $2'),
    ('child', 'disagreement', 2, 't.about = $2'),
    ('child', 'evaluation', 2, 't.about = $2'),
    ('child', 'child_voice', 3, 't.about = $2'),
    ('child', 'action_end', 4, 't.about = $2'),
    ('child', 'plan_answer', 4, 't.about = $2'),
    ('child', 'plan_seen', 4, 't.about = $2'),
    ('child', 'plan_step', 4, 't.about = $2'),
    ('child', 'plan_text', 4, 't.about = $2'),
    ('child', 'plan_clock', 5, 't.about = $2'),
    ('child', 'plan_dispute', 5, 't.about = $2'),
    ('child', 'plan', 6, 't.about = $2');
