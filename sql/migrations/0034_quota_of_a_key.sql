-- A bucket that YouTube closed is closed for the key that heard so: another key may be of another project.

ALTER TABLE ops.quota_ledger ADD COLUMN stopped_key text;
COMMENT ON COLUMN ops.quota_ledger.stopped_key IS 'Fingerprint of the key that YouTube answered so to, from which the key cannot be told; NULL where it is unknown';
