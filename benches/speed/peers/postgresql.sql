INSERT INTO updates (update) SELECT json_build_object('updateKey', 'entries[' || :client_id || '].lifts.a' || n, 'updateValue', n) FROM generate_series(1, @BATCH@) AS n;
