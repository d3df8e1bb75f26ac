-- A command that starts replaces only views that are not as their file says: replacing one waits for all its readers.

CREATE TABLE ops.views (
    name text PRIMARY KEY,
    file_sha256 text NOT NULL,
    definition_md5 text
);
COMMENT ON TABLE ops.views IS 'Views of bi as they were last made: the file in sql/views, and what PostgreSQL made of it.';
COMMENT ON COLUMN ops.views.file_sha256 IS 'SHA-256 of the file';
COMMENT ON COLUMN ops.views.definition_md5 IS 'MD5 of the definition that PostgreSQL has since, so that a view somebody changed is made anew';
