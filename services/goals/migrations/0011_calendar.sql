-- Who was taken off a conversation's list, and what the service that sends mail needs for a calendar entry.

ALTER TABLE conversation ADD COLUMN uninvited uuid[];
COMMENT ON COLUMN conversation.uninvited IS 'Who was invited once and is no longer: their calendars are told so. NULL: nobody';
SELECT tenant_table('conversation');

-- For the service notifications: when a conversation is, who is on its list, what this member answered and may be told.
CREATE FUNCTION read_calendar_entry(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_member text := p_args->>'member';
    v_talk conversation;
    v_access access;
BEGIN
    SELECT * INTO v_talk FROM conversation WHERE school = v_school AND id = (p_args->>'conversation')::uuid;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    SELECT * INTO v_access FROM access a WHERE a.school = v_school AND a.id = v_talk.about;
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_talk.about),
        'conversation', to_jsonb(v_talk) - '{school,why,place,notes,cancelled_because}'::text[],
        'reply', (SELECT jsonb_build_object('answer', r.answer, 'sequence', r.sequence) FROM conversation_reply r
                   WHERE r.school = v_school AND r.conversation = v_talk.id AND r.member = v_member::uuid),
        'grants', coalesce(v_access.grants->v_member, '[]'),
        'revision', v_access.version);
END $$;
