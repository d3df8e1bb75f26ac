-- When an account was last seen to be authorised: what it brought may be kept for a month from then on.

ALTER TABLE ops.accounts ADD COLUMN verified_at timestamptz;
UPDATE ops.accounts SET verified_at = CASE state WHEN 'authorized' THEN authorization_checked_at ELSE authorized_at END;
ALTER TABLE ops.accounts ALTER COLUMN verified_at SET NOT NULL;
