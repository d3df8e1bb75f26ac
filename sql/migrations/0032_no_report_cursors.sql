-- What is listed and not stored is downloaded: a cursor passed over reports that failed, and over those whose row was
-- deleted so that they come again.

DROP TABLE ops.report_cursors;
