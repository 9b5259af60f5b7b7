-- `shortener maintain` looks for links that were deleted long ago.
CREATE INDEX links_deleted ON links (deleted_at) WHERE deleted_at IS NOT NULL;
