CREATE MATERIALIZED VIEW IF NOT EXISTS bi.channel_overview_cached AS SELECT * FROM bi.channel_overview;

-- a refresh beside readers tells rows apart by it
CREATE UNIQUE INDEX IF NOT EXISTS channel_overview_cached_channel_id ON bi.channel_overview_cached (channel_id);

COMMENT ON MATERIALIZED VIEW bi.channel_overview_cached IS
    'bi.channel_overview as it was after the last daily run: read at once, where the other takes seconds of large warehouses.';
