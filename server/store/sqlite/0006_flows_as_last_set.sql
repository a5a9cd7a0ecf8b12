-- The ids that a client last set for each trigger, with those of actions that are removed since.
-- A bare column beside max() is of the row that has the maximum (sqlite.org/lang_select.html).

ALTER TABLE flows ADD COLUMN last_set TEXT NOT NULL DEFAULT '[]'; -- as triggers

CREATE TEMP TABLE sets AS
SELECT org_id,
       json_extract(payload, '$.flowType') AS type,
       json_extract(payload, '$.triggerType') AS trigger_,
       json_extract(payload, '$.actionIDs') AS ids,
       max(position)
FROM events
WHERE events.type = 'org.flow.trigger_actions.set'
GROUP BY org_id, json_extract(payload, '$.flowType'), json_extract(payload, '$.triggerType');

UPDATE flows SET last_set = (
    SELECT json_group_array(json(pair))
    FROM (
        SELECT json_array(sets.trigger_, json(sets.ids)) AS pair
        FROM json_each(flows.triggers) AS entry
        JOIN temp.sets AS sets ON sets.trigger_ = json_extract(entry.value, '$[0]')
        WHERE sets.org_id = flows.org_id AND sets.type = flows.type
        ORDER BY entry.key
    )
);

DROP TABLE temp.sets;
